"""Pages of policies and rounds: lineage, samples, stages, figures; and who may not see or start them."""

import pytest
from django.urls import reverse

from annotation.models import Membership
from earshot.accounts.models import AuditEntry
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round, Speech
from policy.services import first
from tests.factories import join, make_dialogue, make_scenario, make_study, make_user
from tests.policy.fake_round import make_policy, make_round
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot

pytestmark = pytest.mark.django_db
REPORT = {
    "reward_gain_sd": {"value": 1.21, "low": 0.95, "high": 1.47},
    "reward_gains_sd": {"overall": {"value": 1.21, "low": 0.95, "high": 1.47}},
    "kl_nats_per_token": 0.083,
    "n_scenarios": 20,
}


def words(response) -> str:
    return " ".join(response.content.decode().split())


def finished_round(study=None, **fields) -> Round:
    """Rows of a round that is done: its policy, what both said of one scenario, and the study of it."""
    study = study or make_study(title="Warm or cold")
    round = make_round(models=[make_reward_model(make_small_snapshot(study))], **fields)
    new = make_policy("policy-r1", parent=round.policy, round=round)
    scenario = make_scenario(topic="a late parcel", arc=["joy", "worry"])
    for policy in (new, round.policy):
        dialogue = make_dialogue(scenario, policy.system)
        Speech.objects.create(policy=policy, round=round, dialogue_ids=[dialogue.dialogue_id])
    round.finished_stages = {stage.value: "2026-11-23T12:00:00+00:00" for stage in Round.Stage}
    round.study = make_study(title=f"{study.title}, round {round.pk}")
    round.report = REPORT
    round.save()
    Job.objects.filter(pk=round.job_id).update(state="succeeded")
    return round


@pytest.fixture
def admin(client):
    user = make_user("admin")
    client.force_login(user)
    return user


def test_an_admin_makes_a_first_policy_and_follows_it_to_its_page(client, admin):
    answer = client.post(reverse("policy:policy_new"), {"name": "policy-1", "seed": 4})
    job = Job.objects.get()
    assert answer.url == reverse("policy:policy_job", args=[job.pk])
    assert (job.kind, job.queue, job.arguments) == (first.KIND, "gpu", {"name": "policy-1", "seed": 4, "steps": None})
    assert "Waiting for a free worker" in words(client.get(answer.url))

    policy = make_policy()
    Job.objects.filter(pk=job.pk).update(state="succeeded", result={"policy": policy.pk, "is_new": True})

    assert client.get(answer.url).url == reverse("policy:policy", args=[policy.pk])


def test_a_name_that_a_system_has_is_refused(client, admin):
    make_policy("policy-1")

    answer = client.post(reverse("policy:policy_new"), {"name": "policy-1", "seed": 4})

    assert (answer.status_code, Job.objects.count()) == (422, 0)
    assert "A system is called &#x27;policy-1&#x27; already." in words(answer)


def test_the_way_from_votes_to_policy_stands_on_its_page_step_by_step(client, admin):
    round = finished_round()
    new = round.new_policy

    response = client.get(new.get_absolute_url())

    start, made = response.context["generations"]
    assert [step.kind for step in start.steps] == ["Policy"]
    assert [step.kind for step in made.steps] == [
        *("Study", "Snapshot", "Reward model", "Round", "Policy", "Dialogues", "Study"),
    ]
    titles = [entry.title for step in made.steps for entry in step.entries]
    assert titles == [
        *("Warm or cold", "first", "model 1", str(round), "policy-r1", "1 dialogue", f"Warm or cold, round {round.pk}"),
    ]
    assert new.content_hash[:12] in words(response)
    assert [entry.is_here for step in made.steps for entry in step.entries].index(True) == 4


def test_the_held_out_model_stands_in_the_lineage_with_its_votes(client, admin):
    apart = make_reward_model(make_small_snapshot(make_study(title="Other ears"), name="apart"), name="judge apart")
    round = finished_round(held_out=apart)

    response = client.get(round.new_policy.get_absolute_url())

    studies, snapshots, models = response.context["generations"][1].steps[:3]
    assert [entry.title for entry in studies.entries] == ["Warm or cold", "Other ears"]
    assert [entry.title for entry in snapshots.entries] == ["first", "apart"]
    assert [(entry.title, entry.detail) for entry in models.entries] == [
        ("model 2", "seed 2"),
        ("judge apart", "held out: gives no reward, may stop the round; seed 1"),
    ]


def test_a_round_watched_by_a_model_of_simulated_votes_is_marked_as_simulated(client, admin):
    apart = make_reward_model(make_small_snapshot(is_simulated=True))
    round = finished_round(held_out=apart)

    assert "Simulated raters gave the votes." in words(client.get(round.get_absolute_url()))
    assert '<span class="tag">simulated</span>' in words(client.get(reverse("policy:rounds")))
    assert '<span class="tag">simulated</span>' in words(client.get(round.new_policy.get_absolute_url()))


def test_the_page_of_a_speech_names_no_study_that_is_another_s(client):
    policy = make_policy()
    study = make_study(title="A secret pilot")
    parameters = {"part": "train", "per_text": 1, "samples": 2, "seed": 1}
    speech = Speech.objects.create(policy=policy, parameters=parameters, dialogue_ids=["d"], study=study)
    address = reverse("policy:speech", args=[policy.pk, speech.pk])

    client.force_login(make_user("researcher"))
    strange = words(client.get(address))
    client.force_login(join(study, make_user("researcher"), Membership.Role.RESEARCHER))
    own = words(client.get(address))

    assert ("secret" in strange, "They meet in a study of others" in strange) == (False, True)
    assert f'<a href="{study.get_absolute_url()}">A secret pilot</a>' in own


def test_a_reader_learns_no_name_of_a_study_that_is_another_s(client):
    apart = make_reward_model(make_small_snapshot(make_study(title="Another secret"), name="a secret snapshot"))
    round = finished_round(make_study(title="A secret pilot"), held_out=apart)
    client.force_login(make_user("researcher"))

    for address in (round.new_policy.get_absolute_url(), round.get_absolute_url()):
        page = words(client.get(address))
        assert "secret" not in page
        assert "of others" in page


def test_new_and_reference_stand_side_by_side_to_be_heard(client, admin):
    round = finished_round()

    for address in (round.get_absolute_url(), round.new_policy.get_absolute_url()):
        response = client.get(address, {"sample": "7"})
        sample = response.context["sample"]
        assert [(side.letter, side.role, side.dialogue.system.name) for side in sample.sides] == [
            ("a", "new", "policy-r1"),
            ("b", "reference", "policy-1"),
        ]
        assert (sample.number, sample.count) == (1, 1)
        assert "the user feels joy → worry" in words(response)


def test_the_page_of_a_round_shows_stages_figures_and_its_study(client, admin):
    round = finished_round()

    response = client.get(round.get_absolute_url())

    assert [stage.state for stage in response.context["stages"]] == ["done"] * 5
    page = words(response)
    assert "+1.21 <small>sd</small>" in page
    assert "95 % from 0.95 to 1.47" in page
    assert "0.083 <small>nats per token</small>" in page
    assert "on 20 held-out scenarios" in page
    assert f'href="{round.study.get_absolute_url()}"' in page


def figure(value: float) -> dict:
    return {"value": value, "low": round(value - 0.1, 2), "high": round(value + 0.1, 2), "n": 20}


BEST_OF = {
    "n": 140,
    "kl_nats_per_token": 0.091,
    "reward_gain_sd": figure(2.3),
    "held_out_gain_sd": figure(0.7),
    "truth_gain_sd": figure(0.61),
}
LESS_VARIED = {
    "temperature": 0.6712,
    "kl_nats_per_token": 0.025,
    "reward_gain_sd": figure(0.4),
    "truth_gain_sd": figure(0.5),
}


def test_truth_stands_beside_reward_for_the_policy_and_for_its_rivals(client, admin):
    round = finished_round(make_study(is_simulated=True))
    told = {"held_out_gain_sd": figure(0.8), "truth_gain_sd": figure(1.55)}
    told |= {"best_of_n": BEST_OF, "sharpened": LESS_VARIED}
    Round.objects.filter(pk=round.pk).update(report=REPORT | told)

    response = client.get(round.get_absolute_url())

    beside = response.context["report"].beside
    assert [(row.name, row.policy, [words for _, words in row.rivals]) for row in beside] == [
        ("Reward gain, sd", "1.21 [0.95, 1.47]", ["2.30 [2.20, 2.40]", "0.40 [0.30, 0.50]"]),
        ("By the held-out reward model, sd", "0.80 [0.70, 0.90]", ["0.70 [0.60, 0.80]", "–"]),
        ("In the simulated truth, sd", "1.55 [1.45, 1.65]", ["0.61 [0.51, 0.71]", "0.50 [0.40, 0.60]"]),
        ("KL, nats per token", "0.083", ["0.091", "0.025"]),
    ]
    page = words(response)
    assert '<th scope="col">Best of 140</th><th scope="col">Less varied</th>' in page
    assert "the reference at temperature 0.67, as little varied as the new policy has become" in page
    rows = response.context["report"].picture["rows"]
    assert [(row["label"], row["estimate"]) for row in rows[-5:]] == [
        ("reward: best of 140", 2.3),
        ("held-out model: best of 140", 0.7),
        ("simulated truth: best of 140", 0.61),
        ("reward: reference, less varied", 0.4),
        ("simulated truth: reference, less varied", 0.5),
    ]


def test_a_report_from_before_the_second_rival_shows_the_first_alone(client, admin):
    round = finished_round(make_study(is_simulated=True))
    Round.objects.filter(pk=round.pk).update(report=REPORT | {"best_of_n": BEST_OF})

    response = client.get(round.get_absolute_url())

    assert [rival.name for rival in response.context["report"].rivals] == ["Best of 140"]
    assert "Less varied" not in words(response)


def test_the_page_says_in_how_many_texts_a_reward_model_knew_the_words(client, admin):
    round = finished_round()
    known = "A reward model learned from other scenarios of 10 of the 10 texts"
    assert known not in words(client.get(round.get_absolute_url()))

    Round.objects.filter(pk=round.pk).update(report=REPORT | {"n_texts": 10, "texts_trained_on": 10})

    assert known in words(client.get(round.get_absolute_url()))


def test_the_list_shows_truth_where_raters_are_simulated_and_nowhere_else(client, admin):
    of_people = finished_round()
    assert "Truth gain" not in words(client.get(reverse("policy:rounds")))

    simulated = make_round(
        of_people.policy,
        [make_reward_model(make_small_snapshot(is_simulated=True))],
        system="policy-r2",
    )
    Round.objects.filter(pk=simulated.pk).update(report=REPORT | {"truth_gain_sd": figure(1.55)})
    page = words(client.get(reverse("policy:rounds")))

    assert '<th scope="col">Truth gain, sd</th>' in page
    assert '<td data-label="Truth gain, sd"><span class="num">1.55 [1.45, 1.65]</span></td>' in page
    assert '<td data-label="Truth gain, sd"><span class="num">–</span></td>' in page


INSTRUMENTS = {
    "f0_median": {
        **{"unit": "semitones", "wanted": "", "before": 9.5, "after": 10.25, "kind": "description"},
        **{"change": figure(0.75), "holds": None},
    },
    "loudness": {
        **{"unit": "LUFS", "wanted": "changes by at most 1 LU", "before": -23.1, "after": -22.9, "kind": "instrument"},
        **{"change": figure(0.2), "holds": True},
    },
    "level_contrast": {
        **{"unit": "LU", "wanted": "surely rises", "before": 0.5, "after": 0.4, "kind": "instrument"},
        **{"change": figure(-0.1), "holds": False},
    },
    "gap": {
        **{"unit": "ln s", "wanted": "changes by at most 0.5", "before": None, "after": None, "kind": "instrument"},
        **{"change": {"value": None, "low": None, "high": None, "n": 0}, "holds": None},
    },
}


def test_the_sound_before_and_after_stands_beside_what_was_wanted(client, admin):
    round = finished_round()
    told = {"instruments": {"n_dialogues": 20, "instruments": INSTRUMENTS}}
    Round.objects.filter(pk=round.pk).update(report=REPORT | told)

    response = client.get(round.get_absolute_url())

    sound = response.context["sound"]
    assert [(row.name, row.before, row.after, row.verdict) for row in sound.instruments] == [
        ("Loudness", "−23.10", "−22.90", "yes"),
        ("Level: joy above sadness", "0.50", "0.40", "no"),
        ("Pause before a reply", "–", "–", "cannot be told"),
    ]
    assert [(row.name, row.before, row.after, row.verdict) for row in sound.descriptions] == [
        ("F0 median", "9.50", "10.25", ""),
    ]
    page = words(response)
    assert "Sound, before and after" in page
    assert "1 of 3 as wanted, 1 not, 1 cannot be told." in page
    assert "+0.20 <small>from 0.10 to 0.30</small>" in page
    assert page.index("Loudness") < page.index("F0 median")


def test_a_round_without_measured_sound_shows_no_table_of_it(client, admin):
    round = finished_round()

    assert "Sound, before and after" not in words(client.get(round.get_absolute_url()))


def test_a_round_that_runs_says_which_stage_it_is_at(client, admin):
    round = make_round()
    Round.objects.filter(pk=round.pk).update(finished_stages={"update": "2026-11-23T12:00:00+00:00"})
    Job.objects.filter(pk=round.job_id).update(state="running", progress=0.66, message="Registering")

    response = client.get(round.get_absolute_url())

    assert [stage.state for stage in response.context["stages"]] == ["done", "running", *["waiting"] * 3]
    assert "Registering" in words(response)


def test_the_word_simulated_stands_wherever_raters_were(client, admin):
    round = finished_round(make_study(is_simulated=True))

    assert "Simulated raters gave the votes." in words(client.get(round.get_absolute_url()))
    assert '<span class="tag">simulated</span>' in words(client.get(reverse("policy:rounds")))
    assert '<span class="tag">simulated</span>' in words(client.get(round.new_policy.get_absolute_url()))


def test_the_cost_of_a_round_is_shown_first_and_it_starts_on_the_second_press(client, admin):
    policy, model = make_policy(), make_reward_model()
    address = reverse("policy:round_new")
    form = {"policy": policy.pk, "reward_models": [model.pk], "system": "policy-r1", "steps": 20, "kl_target": 0.1}
    form |= {"seed": 3, "catalogue": "", "per_text": 1, "samples": 1, "overlap": 2}

    first_look = words(client.get(address, {"policy": policy.pk, "reward_models": model.pk}))
    asked = words(client.post(address, form))
    assert 'value="policy-r1"' in first_look
    assert "About 2 minutes on one worker</strong> (no round was done here yet: a rule for two cores)." in asked
    assert "20 votes" in asked
    assert Round.objects.count() == 0
    answer = client.post(address, {**form, "start": "1"})

    round = Round.objects.get()
    assert answer.url == round.get_absolute_url()
    assert (round.policy, list(round.reward_models.all()), round.parameters["seed"]) == (policy, [model], 3)
    assert AuditEntry.objects.get(action="round.started").detail == {
        "policy": "policy-1",
        "reward_models": ["model 1"],
    }


def round_form(policy, *models, **answers) -> dict:
    form = {"policy": policy.pk, "reward_models": [model.pk for model in models], "system": "policy-r1", "steps": 20}
    return form | {"kl_target": 0.1, "seed": 3, "catalogue": "", "per_text": 1, "samples": 1, "overlap": 2, **answers}


def test_a_copy_of_a_reward_model_is_refused_at_its_field(client, admin):
    policy, model = make_policy(), make_reward_model(name="first")
    same = make_reward_model(name="again", content_hash=model.content_hash)
    address = reverse("policy:round_new")

    apart = client.post(address, round_form(policy, model, held_out_reward_model=same.pk))
    mates = client.post(address, round_form(policy, model, same))

    assert (apart.status_code, mates.status_code) == (422, 422)
    assert apart.context["form"].errors == {
        "held_out_reward_model": ["It is bit by bit 'first', which gives the reward. Choose another, or none."]
    }
    assert mates.context["form"].errors == {
        "reward_models": ["'again' is bit by bit 'first', so it is no second opinion. Choose one of them."]
    }


def test_a_held_out_model_of_the_same_votes_is_pointed_out_beside_the_cost(client, admin):
    policy, snapshot = make_policy(), make_small_snapshot()
    model, sibling, apart = make_reward_model(snapshot), make_reward_model(snapshot), make_reward_model()
    address = reverse("policy:round_new")
    sentence = "The held-out reward model learned from the same snapshot"

    same_votes = words(client.post(address, round_form(policy, model, held_out_reward_model=sibling.pk)))
    other_votes = words(client.post(address, round_form(policy, model, held_out_reward_model=apart.pk)))

    assert (sentence in same_votes, sentence in other_votes) == (True, False)


def test_the_forms_propose_no_name_that_is_in_use_or_asked_for(client, admin):
    policy, model = make_policy("policy-2"), make_reward_model()
    make_round(policy, [model], system="policy-r2")

    assert 'value="policy-3"' in words(client.get(reverse("policy:policy_new")))
    assert 'value="policy-r3"' in words(client.get(reverse("policy:round_new")))


def test_an_admin_chooses_scenarios_of_the_catalogue_by_tag(client, admin):
    policy, model = make_policy(), make_reward_model()
    for part in ("train", "held_out"):
        make_scenario(tags=["practice", part, "pilot"])
    address = reverse("policy:round_new")

    offered = words(client.get(address))
    client.post(address, round_form(policy, model, catalogue="yes", tag="pilot", start="1"))
    without_catalogue = client.post(address, round_form(policy, model, system="policy-r2", tag="pilot"))

    assert '<option value="pilot">pilot</option>' in offered
    round = Round.objects.get()
    assert (round.parameters["catalogue"], round.parameters["tag"]) == (True, "pilot")
    assert "those of the catalogue with the tags practice and pilot" in words(client.get(round.get_absolute_url()))
    assert list(without_catalogue.context["form"].errors) == ["tag"]


def test_a_taken_name_is_refused_before_the_cost_is_shown(client, admin):
    policy, model = make_policy(), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")

    answer = client.post(reverse("policy:round_new"), round_form(policy, model))

    assert answer.status_code == 422
    assert answer.context["form"].errors == {
        "system": [f"Round '{round}' takes the name 'policy-r1'. Choose another name for the policy."]
    }


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"reward_models": []}, "This field is required"),
        ({"system": "policy-1"}, "A system is called"),
        ({"kl_target": "0"}, "greater than or equal to 0.001"),
        ({"catalogue": "yes"}, "no scenario with the tags practice and train"),
        ({"held_out_reward_model": "same"}, "It gives the reward already."),
    ],
)
def test_a_wrong_form_of_a_round_comes_back_with_the_reason(client, admin, answers, message):
    policy, model = make_policy(), make_reward_model()
    form = {"policy": policy.pk, "reward_models": [model.pk], "system": "policy-r1", "steps": 20, "kl_target": 0.1}
    form |= {"seed": 3, "catalogue": "", "per_text": 1, "samples": 1, "overlap": 2, "start": "1", **answers}
    form = {name: model.pk if value == "same" else value for name, value in form.items()}

    answer = client.post(reverse("policy:round_new"), form)

    assert answer.status_code == 422
    assert message in words(answer)
    assert Round.objects.count() == 0


def test_an_admin_has_a_policy_speak_and_opens_a_study_of_it(client, admin):
    policy = make_policy()
    form = {"part": "train", "per_text": 1, "samples": 2, "seed": 1, "title": "Which one?", "overlap": 1, "start": "on"}

    answer = client.post(reverse("policy:speak", args=[policy.pk]), form)

    speech = Speech.objects.get()
    assert answer.url == reverse("policy:speech", args=[policy.pk, speech.pk])
    chosen = {"title": "Which one?", "overlap": 1, "is_simulated": False, "start": True}
    assert speech.parameters == {"part": "train", "per_text": 1, "samples": 2, "seed": 1, "study": chosen}
    assert "Waiting for a free worker" in words(client.get(answer.url))
    assert client.post(reverse("policy:speak", args=[policy.pk]), {**form, "samples": 1}).status_code == 422


def test_the_empty_pages_say_what_will_stand_here_and_what_fills_it(client, admin):
    assert "No policies yet" in words(client.get(reverse("policy:policies")))
    assert "No rounds yet" in words(client.get(reverse("policy:rounds")))
    assert "No policy to begin with" in words(client.get(reverse("policy:round_new")))
    policy = make_policy()
    assert "No reward model is ready" in words(client.get(reverse("policy:round_new")))
    assert "Nothing to hear yet" in words(client.get(policy.get_absolute_url()))


def test_a_removed_job_leaves_pages_that_can_be_read(client, admin):
    round = make_round()
    speech = Speech.objects.create(policy=round.policy, parameters={"part": "train", "per_text": 1, "samples": 1})
    Job.objects.all().delete()

    assert "The job of this round was removed." in words(client.get(round.get_absolute_url()))
    assert "The job of this speech was removed." in words(
        client.get(reverse("policy:speech", args=[round.policy_id, speech.pk]))
    )
    assert client.get(round.policy.get_absolute_url()).status_code == 200


def test_lists_cost_the_same_queries_for_1_and_3_rows(client, admin, django_assert_num_queries):
    finished_round()
    for name in ("policy:policies", "policy:rounds"):
        client.get(reverse(name))
        with django_assert_num_queries(9, exact=False) as one:
            client.get(reverse(name))
        policy = make_policy(f"{name} more")
        for number in range(2):
            make_round(policy, system=f"{name} {number}")
        with django_assert_num_queries(len(one)):
            client.get(reverse(name))


def addresses(round: Round) -> list[str]:
    policy = round.new_policy
    speech = policy.speeches.get()
    return [
        reverse("policy:policies"),
        reverse("policy:policy", args=[policy.pk]),
        reverse("policy:speech", args=[policy.pk, speech.pk]),
        reverse("policy:policy_download", args=[policy.pk]),
        reverse("policy:rounds"),
        reverse("policy:round", args=[round.pk]),
    ]


def admin_addresses(round: Round) -> list[str]:
    job = Job.objects.create(kind=first.KIND, title="First policy", arguments={"name": "policy-9"})
    return [
        reverse("policy:policy_new"),
        reverse("policy:policy_job", args=[job.pk]),
        reverse("policy:speak", args=[round.policy_id]),
        reverse("policy:round_new"),
    ]


def test_strangers_get_in_nowhere_and_researchers_start_nothing(client):
    study = make_study()
    round = finished_round(study)
    readable, admins_only = addresses(round), admin_addresses(round)

    assert {client.get(page).status_code for page in [*readable, *admins_only]} == {302}  # to the sign-in
    client.force_login(join(study))  # an annotator of the study that the policy came from
    assert [client.get(page).status_code for page in [*readable, *admins_only]] == [403] * 10
    assert [client.post(page).status_code for page in admins_only if "jobs" not in page] == [403] * 3
    client.force_login(join(study, make_user("researcher"), Membership.Role.RESEARCHER))
    assert [client.get(page).status_code for page in readable] == [200] * 6
    assert [client.get(page).status_code for page in admins_only] == [403] * 4
    assert [client.post(page).status_code for page in admins_only if "jobs" not in page] == [403] * 3
    client.force_login(make_user("admin"))
    assert [client.get(page).status_code for page in [*readable, *admins_only]] == [200] * 10
    assert (PolicyCheckpoint.objects.count(), Round.objects.count()) == (2, 1)

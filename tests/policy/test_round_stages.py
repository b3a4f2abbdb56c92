"""Rounds by the fake program, stage by stage: what they leave, and how they go on when they were broken off."""

import shutil
from pathlib import Path

import pytest

from annotation.models import Dialogue, DialogueImport, Scenario, Study
from earshot.jobs import programs
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round, Speech
from policy.services import commands, estimates, registry, rounds, scenarios
from policy.services.plans import RoundPlan
from tests.factories import join, make_dialogue, make_scenario, make_study, make_system, make_user
from tests.policy.fake_round import make_policy, make_round, run_round
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_round_goes_from_the_update_to_a_study_of_new_against_reference(fake_learning):
    person = make_user("admin")
    source = make_study(title="Warm or cold", overlap=2, language="en")
    annotator = join(source)
    source.dimensions.filter(key="immersion").delete()
    model = make_reward_model(make_small_snapshot(source))
    round = make_round(models=[model], by=person, samples=2, overlap=5, start_study=True)

    job = run_round(round)

    assert (job.state, job.error) == ("succeeded", "")
    assert set(round.finished_stages) == {stage.value for stage in Round.Stage}
    new, study = round.new_policy, round.study
    assert (new.system.name, new.parent, new.round) == ("policy-r1", round.policy, round)
    assert job.result == job.result | {"round": round.pk, "policy": new.pk, "study": study.pk}
    assert [speech.policy for speech in rounds.speeches_of(round)] == [new, round.policy]
    assert Dialogue.objects.filter(system=new.system).count() == 4  # two held-out texts, one scenario each, twice
    assert {row.dialogues_new for row in DialogueImport.objects.all()} == {4}
    assert (study.title, study.overlap, study.state) == (f"Warm or cold, round {round.pk}", 5, "running")
    assert "policy" not in study.title
    assert list(study.dimensions.values_list("key", flat=True)) == ["prosody", "emotional_continuity", "overall"]
    assert set(study.members.all()) == {person, annotator}
    pairs = list(study.pairs.all())
    assert len(pairs) == 4
    for pair in pairs:
        assert {pair.dialogue_a.system, pair.dialogue_b.system} == {new.system, round.policy.system}
        assert (
            pair.dialogue_a.dialogue_id[-1] == pair.dialogue_b.dialogue_id[-1]
        )  # first with first, second with second
    assert [pair.dialogue_a.system == new.system for pair in pairs] == [True, False, True, False]
    assert not study.is_simulated
    assert list(job.metrics.filter(name="reward").values_list("step", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_a_round_s_study_asks_in_the_words_the_layout_and_the_languages_of_its_source(fake_learning):
    """Other phrases on the scale, or all questions on one page, would be another measurement."""
    source = make_study(title="Warm or cold", question_layout="together", content_warning="Grief.")
    source.translations = {"ja": {"title": "温かさ", "content_warning": "悲しみ。"}}
    source.save()
    anchors = ["far warmer", "warmer", "a little warmer", "alike"]
    translations = {"ja": {"name": "韻律"}}
    source.dimensions.filter(key="prosody").update(anchors=anchors, translations=translations)
    round = make_round(models=[make_reward_model(make_small_snapshot(source))])

    run_round(round)

    round.refresh_from_db()
    study = round.study
    assert (study.question_layout, study.content_warning) == ("together", "Grief.")
    assert study.translations == {"ja": {"content_warning": "悲しみ。"}}  # its title is another
    prosody = study.dimensions.get(key="prosody")
    assert (prosody.anchors, prosody.translations) == (anchors, translations)


def test_a_round_s_study_lends_as_its_source_does_and_to_the_same_groups(fake_learning):
    source = make_study(check_rate=0.25, selection="adaptive", uniform_floor=0.2, eligible_groups=["native"])
    annotator = join(source)
    source.memberships.filter(user=annotator).update(group="native")
    round = make_round(models=[make_reward_model(make_small_snapshot(source))])

    run_round(round)

    round.refresh_from_db()
    study = round.study
    assert (study.check_rate, study.selection, study.uniform_floor) == (0.25, "adaptive", 0.2)
    assert study.eligible_groups == ["native"]
    assert study.memberships.get(user=annotator).group == "native"


def test_a_round_s_policy_names_all_that_it_comes_from(fake_learning):
    models = [make_reward_model(make_small_snapshot()) for _ in range(2)]
    held_out = make_reward_model(make_small_snapshot())
    round = make_round(models=models, held_out=held_out, seed=9)

    run_round(round)

    lineage = round.new_policy.lineage
    assert lineage == lineage | {
        "round": round.pk,
        "policy": round.policy.content_hash,
        "reward_models": [model.content_hash for model in models],
        "held_out_reward_model": held_out.content_hash,
        "snapshots": [model.snapshot.content_id for model in [*models, held_out]],
        "studies": [model.snapshot.study_id for model in [*models, held_out]],
    }
    assert lineage["program"]["parent"] == round.policy.content_hash
    assert lineage["parameters"]["seed"] == 9


def test_a_checkpoint_of_another_policy_is_not_registered(fake_learning):
    round = make_round()
    other = make_policy("policy-other")
    Round.objects.filter(pk=round.pk).update(policy=other)
    folder = programs.run_folder(round.job_id)
    registry.unpack_policy(round.policy, folder).rename(folder / f"policy-{other.content_hash[:12]}")

    job = run_round(round)

    assert job.state == "failed"
    assert "but the round began with" in job.error
    assert (round.new_policy, Speech.objects.count()) == (None, 0)


def test_a_round_that_a_guard_stops_fails_with_the_guard_s_words_and_goes_on_later(fake_learning, monkeypatch):
    round = make_round()
    monkeypatch.setenv("FAKE_ROUND_FAILS", "1")

    failed = run_round(round)
    assert (failed.state, round.state, round.next_stage) == ("failed", "failed", Round.Stage.UPDATE)
    assert "Guard entropy: the entropy in nats per token is 0.1, below 0.35." in failed.error
    monkeypatch.delenv("FAKE_ROUND_FAILS")
    Job.objects.filter(pk=failed.pk).update(state="queued")
    run_round(round)

    assert (round.state, round.new_policy.system.name) == ("done", "policy-r1")


def break_off(round: Round, monkeypatch, where: str) -> None:
    """Run the round until `where` is called, and put it back in the queue."""

    def full(*_, **__):
        raise ValueError("The disk is full. Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(where, full)
        assert run_round(round).error == "The disk is full. Make room."
    Job.objects.filter(pk=round.job_id).update(state="queued")


@pytest.mark.parametrize("stage", ["REGISTER", "SPEAK", "IMPORT", "STUDY"])
def test_a_round_broken_off_before_any_stage_goes_on_there_and_doubles_nothing(fake_learning, monkeypatch, stage):
    round = make_round()

    break_off(round, monkeypatch, f"policy.services.rounds._{stage.lower()}")
    taken = sorted((programs.run_folder(round.job_id) / "new" / "run").iterdir())
    job = run_round(round)

    assert (job.state, round.state) == ("succeeded", "done")
    assert len(taken) == 6  # the update was not made again
    assert job.result == rounds.result_of(round)
    assert (job.result["reward_gain_sd"], job.result["checkpoint"]) == (1.21, round.new_policy.content_hash)
    assert PolicyCheckpoint.objects.count() == 2
    assert (DialogueImport.objects.count(), Dialogue.objects.count()) == (2, 4)
    assert (Study.objects.filter(pk=round.study_id).count(), round.study.pairs.count()) == (1, 2)


def test_the_result_of_a_round_is_its_figures_as_plain_numbers(fake_learning, monkeypatch):
    monkeypatch.setenv("FAKE_ROUND_STOPPED", "Stopped at step 20. Guard entropy: it is 0.1, below 0.35.")
    round = make_round(models=[make_reward_model(make_small_snapshot(is_simulated=True))], steps=20)

    job = run_round(round)

    assert job.result == {
        "round": round.pk,
        "policy": round.new_policy.pk,
        "study": round.study_id,
        "checkpoint": round.new_policy.content_hash,
        "step": 20,
        "stopped": "Stopped at step 20. Guard entropy: it is 0.1, below 0.35.",
        "n_scenarios": 20,
        "reward_before": 0.4,
        "reward_after": 1.6,
        "reward_gain_sd": 1.21,
        "truth_gain_sd": 1.21,
        "kl_nats_per_token": 0.083,
    }


@pytest.mark.parametrize("stage", ["REGISTER", "SPEAK", "IMPORT", "STUDY"])
def test_a_round_goes_on_on_another_machine_from_what_is_kept_by_hash(fake_learning, monkeypatch, stage):
    round = make_round()
    break_off(round, monkeypatch, f"policy.services.rounds._{stage.lower()}")
    shutil.rmtree(programs.run_folder(round.job_id))
    monkeypatch.setattr(commands, "update", lambda *_: pytest.fail("The update was made again."))

    job = run_round(round)

    assert (job.state, job.error, round.state) == ("succeeded", "", "done")
    assert (PolicyCheckpoint.objects.count(), DialogueImport.objects.count()) == (2, 2)
    assert (round.study.pairs.count(), Study.objects.filter(title__contains="round").count()) == (2, 1)


def test_an_update_that_is_kept_nowhere_is_made_again(fake_learning, monkeypatch):
    round = make_round()
    break_off(round, monkeypatch, "policy.services.rounds._register")
    shutil.rmtree(programs.run_folder(round.job_id))
    round.job.artefacts.all().delete()

    job = run_round(round)

    assert (job.state, round.new_policy.system.name) == ("succeeded", "policy-r1")
    assert "Lost with another machine's disk, so it is done again: Update the policy" in list(
        job.log_lines.values_list("text", flat=True)
    )


def test_only_the_speech_that_was_not_imported_is_spoken_again_on_another_machine(fake_learning, monkeypatch):
    round = make_round()
    real = rounds.speaking.import_speech
    spoken = []

    def import_the_first(held, speech, folder):
        if speech.policy != round.new_policy:
            raise ValueError("The disk is full. Make room.")
        real(held, speech, folder)

    with monkeypatch.context() as patch:
        patch.setattr(rounds.speaking, "import_speech", import_the_first)
        assert run_round(round).state == "failed"
    Job.objects.filter(pk=round.job_id).update(state="queued")
    shutil.rmtree(programs.run_folder(round.job_id))
    speak = commands.speak
    monkeypatch.setattr(commands, "speak", lambda *a, **k: spoken.append(k["system"]) or speak(*a, **k))

    job = run_round(round)

    assert (job.state, job.error, spoken) == ("succeeded", "", ["policy-1"])
    assert round.study.pairs.count() == 2


def test_a_round_measures_the_sound_of_what_the_reference_and_the_new_policy_said(fake_learning):
    round = make_round(samples=2)

    run_round(round)

    found = round.report["instruments"]
    assert found["n_dialogues"] == 4
    assert found["instruments"]["loudness"]["change"] == {"value": 0.2, "low": 0.1, "high": 0.3, "n": 4}
    command = commands.compare(Path("before"), Path("after"), Path("o.json"))
    assert command[2:] == ["policy", "compare", "before", "after", "--out", "o.json"]


def test_an_import_that_a_dead_worker_left_behind_is_taken_over(fake_learning, monkeypatch, settings):
    settings.JOB_HEARTBEAT_SECONDS, settings.JOB_SILENCE_SECONDS, settings.REAPER_SECONDS = 0.1, 0.5, 0.1
    round = make_round()

    def die(held):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr("policy.services.speaking.ingest.run_import", die)
        with pytest.raises(SystemExit):
            run_round(round)
    left = DialogueImport.objects.get().job
    assert (left.state, Job.objects.get(pk=round.job_id).state) == ("running", "running")
    Job.objects.filter(pk=round.job_id).update(state="queued")

    job = run_round(round)

    assert (job.state, round.study.pairs.count()) == ("succeeded", 2)
    left.refresh_from_db()
    assert (left.state, left.fence) == ("succeeded", 2)
    assert DialogueImport.objects.count() == 2


def test_a_cancelled_round_cancels_the_import_inside_it(fake_learning, monkeypatch):
    round = make_round()
    real = rounds.speaking.ingest.run_import

    def cancel_first(importing):
        Job.objects.filter(pk=round.job_id).update(cancel_requested=True)
        importing.within._written_at = importing._written_at = float("-inf")
        real(importing)

    monkeypatch.setattr("policy.services.speaking.ingest.run_import", cancel_first)
    job = run_round(round)

    assert (job.state, DialogueImport.objects.get().job.state) == ("cancelled", "cancelled")
    assert Dialogue.objects.count() == 0


def test_a_study_of_simulated_votes_makes_the_next_one_simulated(fake_learning):
    model = make_reward_model(make_small_snapshot(is_simulated=True))
    round = make_round(models=[model])

    run_round(round)

    assert (round.is_simulated, round.study.is_simulated, round.study.state) == (True, True, "draft")


def test_a_round_on_scenarios_of_the_catalogue_speaks_those(fake_learning):
    for part in ("train", "held_out"):
        turns = [{"scenario_turn": 0, "role": "user", "text": "question 0"}]
        make_scenario(scenario_id=f"practice-x-{part}", tags=["practice", part], turns=turns, arc=["joy"])
    held_out = Scenario.objects.get(scenario_id="practice-x-held_out")
    folder = programs.run_folder("some-job")
    written = scenarios.write_scenarios(folder / "scenarios", scenarios.practice_scenarios("held_out"))
    row = (written / "scenarios.jsonl").read_text()

    assert row.count("\n") == 1
    assert '"arc": ["joy"]' in row
    assert scenarios.practice_scenarios("held_out") == [held_out]
    assert estimates.estimate_round(RoundPlan(system="x", catalogue=True, samples=3, overlap=2)).n_votes == 6


def test_a_name_that_another_system_takes_meanwhile_fails_the_round(fake_learning):
    round = make_round()
    make_dialogue(system=make_system("policy-r1"))

    job = run_round(round)

    assert job.error == "A system is called 'policy-r1' already. Start anew under another name."
    assert not (programs.run_folder(round.job_id) / "new").exists()  # nothing was updated for it


def test_a_name_that_another_system_takes_during_the_update_fails_the_round(fake_learning, monkeypatch):
    round = make_round()
    break_off(round, monkeypatch, "policy.services.rounds._register")
    make_dialogue(system=make_system("policy-r1"))

    job = run_round(round)

    assert job.error == "Another system is called 'policy-r1' meanwhile. Start anew under another name."


def test_a_held_out_model_of_simulated_votes_makes_the_round_simulated(fake_learning):
    held_out = make_reward_model(make_small_snapshot(is_simulated=True))
    round = make_round(held_out=held_out)

    run_round(round)

    assert (round.is_simulated, round.study.is_simulated) == (True, True)
    assert round.report["truth_gain_sd"]["value"] == 1.21


def test_a_round_started_again_is_refused_before_its_update_if_another_makes_its_name(fake_learning, monkeypatch):
    policy, model = make_policy(), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")
    Job.objects.filter(pk=round.job_id).update(state="failed")
    other = make_round(policy, [model], system="policy-r1")
    Job.objects.filter(pk=round.job_id).update(state="queued")
    Job.objects.filter(pk=other.job_id).update(state="running")
    monkeypatch.setattr(commands, "update", lambda *_: pytest.fail("The update was begun."))

    job = run_round(round)

    assert job.state == "failed"
    assert job.error.startswith(f"Round '{other}' takes the name 'policy-r1'.")

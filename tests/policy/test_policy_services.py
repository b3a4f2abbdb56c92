"""First policies, speech and rounds by the fake program: what is registered, imported, opened, and what is refused."""

import shutil
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from annotation.models import Dialogue, DialogueImport, Scenario, Study, System
from annotation.services.ingest.catalogue import scenario_hash
from earshot.formats import manifest
from earshot.formats.dialogues import ScenarioTurn
from earshot.jobs import artefacts, programs
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round, Speech
from policy.services import commands, estimates, first, names, registry, rounds, scenarios, speeches
from policy.services.plans import RoundPlan, SpeechPlan
from tests.factories import NOW, join, make_dialogue, make_scenario, make_study, make_system, make_user
from tests.policy.fake_round import make_policy, make_round, run_round
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot, run_job

pytestmark = pytest.mark.django_db(transaction=True)


def make_first(name: str, **asked) -> Job:
    return run_job(first.request_policy(name=name, by=None, tell_worker=False, **asked), first.run_policy)


def test_a_first_policy_is_registered_with_its_files_and_lineage(fake_learning):
    job = make_first("policy-1", seed=4)

    policy = PolicyCheckpoint.objects.get()
    assert (job.state, job.result["policy"], job.result["is_new"]) == ("succeeded", policy.pk, True)
    assert (policy.system.name, policy.parent, policy.round) == ("policy-1", None, None)
    assert (policy.lineage["program"]["kind"], policy.lineage["program"]["seed"]) == ("supervised", 4)
    with artefacts.local_copy(policy.archive_sha256) as archive, zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["config.json", "lineage.json", "model.safetensors"]
    assert list(job.metrics.filter(name="loss").values_list("step", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_the_same_start_under_another_name_is_the_policy_there_is(fake_learning):
    make_first("policy-1")

    job = make_first("policy-2")

    assert (PolicyCheckpoint.objects.get().system.name, job.result["is_new"]) == ("policy-1", False)


def test_a_policy_does_not_change_and_keeps_its_files():
    policy = make_policy()

    with pytest.raises(ValidationError, match="is immutable"):
        policy.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyCheckpoint.objects.filter(pk=policy.pk).update(archive_sha256="")
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyCheckpoint.objects.filter(pk=policy.pk).update(parent=policy)  # a parent, but no round


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


@pytest.mark.parametrize(
    ("told", "lineage", "lacking"),
    [
        ({"kind": "grpo", "seed": 0, "code": {"package": "1"}, "bank": "b"}, {}, "files"),
        ({"kind": "grpo", "code": {}, "bank": "b", "files": {"a": "b"}}, {}, "seed, code"),
        (
            {"kind": "grpo", "seed": 1, "code": {"p": "1"}, "bank": "b", "files": {"a": "b"}},
            {"policy": "a", "reward_models": ["m", ""], "snapshots": ["s"], "studies": []},
            "reward_models, studies",
        ),
    ],
)
def test_an_incomplete_lineage_does_not_register(told, lineage, lacking):
    with pytest.raises(ValueError, match=f"its lineage lacks {lacking}\\."):
        registry.refuse_incomplete(told, lineage)


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


def practice(name: str, *tags: str) -> Scenario:
    """As an import would have left it."""
    asked = [ScenarioTurn(number, f"question {number}") for number in range(2)]
    written = manifest.Scenario(name, "Good news", "en", tuple(asked), tags=("practice", *tags))
    turns = [{"scenario_turn": turn.scenario_turn, "role": turn.role, "text": turn.text} for turn in asked]
    fields = {"scenario_id": name, "topic": written.topic, "tags": list(written.tags), "turns": turns}
    return make_scenario(**fields, content_hash=scenario_hash(written))


def test_a_round_takes_from_the_catalogue_what_has_the_tag_that_was_chosen(fake_learning):
    practice("learn", "train", "pilot")
    practice("compare", "held_out", "pilot")
    practice("other", "held_out", "later")
    practice("learn more", "train")
    round = make_round(catalogue=True, tag="pilot")

    job = run_round(round)

    assert (job.state, job.error) == ("succeeded", "")
    assert set(round.study.pairs.values_list("scenario__scenario_id", flat=True)) == {"compare"}
    assert scenarios.tags_to_choose() == ["pilot"]  # later has nothing to learn on
    assert estimates.estimate_round(RoundPlan(system="x", catalogue=True, tag="pilot")).n_scenarios == 1


def test_a_round_compares_on_no_scenario_that_a_reward_model_learned_from(fake_learning):
    for name, tag in (("learn", "train"), ("judged", "held_out"), ("fresh", "held_out")):
        practice(name, tag)
    learned = make_reward_model(config={"training": {"scenarios": ["judged", "elsewhere"]}})
    round = make_round(models=[learned], catalogue=True)

    run_round(round)

    assert set(round.study.pairs.values_list("scenario__scenario_id", flat=True)) == {"fresh"}


def test_scenarios_that_cannot_be_taken_are_refused_before_a_round_begins():
    policy, model = make_policy(), make_reward_model(config={"training": {"scenarios": ["compare"]}})
    apart = make_reward_model(config={"training": {"scenarios": ["compare"]}})
    other = make_reward_model()
    practice("learn", "train")
    practice("compare", "held_out")

    for problem, models, held_out, chosen in (
        ("no scenario with the tags practice, train and pilot", [other], None, {"catalogue": True, "tag": "pilot"}),
        ("A tag chooses among scenarios of the catalogue", [other], None, {"tag": "pilot"}),
        ("A reward model learned from every held-out scenario", [model], None, {"catalogue": True}),
        ("A reward model learned from every held-out scenario", [other], apart, {"catalogue": True}),
    ):
        plan = RoundPlan(system="policy-r1", **chosen)
        with pytest.raises(ValidationError, match=problem):
            rounds.request_round(policy, models, plan, by=None, held_out_reward_model=held_out)

    assert Round.objects.count() == 0


def test_a_round_is_refused_before_it_begins():
    policy, model = make_policy(), make_reward_model()
    unready = make_reward_model(registered_at=None, content_hash="", archive_sha256="")
    plan = RoundPlan(system="policy-r1")
    make_system("taken")

    for problem, asked in (
        ("needs at least one reward model", ([], plan)),
        ("is done, not ready", ([unready], plan)),
        ("A system is called 'taken' already", ([model], RoundPlan(system="taken"))),
        ("0 is out of range for steps", ([model], RoundPlan(system="policy-r1", steps=0))),
        ("A KL target of 0 cannot be", ([model], RoundPlan(system="policy-r1", kl_target=0))),
        ("no scenario with the tags practice and train", ([model], RoundPlan(system="policy-r1", catalogue=True))),
    ):
        with pytest.raises(ValidationError, match=problem):
            rounds.request_round(policy, *asked, by=None)
    with pytest.raises(ValidationError, match="so it cannot be held out"):
        rounds.request_round(policy, [model], plan, by=None, held_out_reward_model=model)

    assert (Round.objects.count(), Job.objects.filter(kind=rounds.KIND).count()) == (0, 0)


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


def test_a_policy_speaks_and_a_study_of_its_own_dialogues_opens(fake_learning):
    policy, person = make_policy(), make_user("admin")
    study = {"title": "Which would you rather be in?", "overlap": 1, "is_simulated": True, "start": True}
    plan = SpeechPlan(part="train", per_text=1, samples=3, seed=2)

    speech = speeches.request_speech(policy, plan, by=person, study=study, tell_worker=False)
    job = run_job(speech.job, speeches.run_speech)
    speech.refresh_from_db()

    assert (job.state, job.error, job.result["dialogues"]) == ("succeeded", "", 9)
    assert Dialogue.objects.filter(system=policy.system).count() == 9
    assert (speech.study.pairs.count(), speech.study.state, speech.study.is_simulated) == (9, "running", True)
    a_first = [pair.dialogue_a.pk < pair.dialogue_b.pk for pair in speech.study.pairs.order_by("pk")]
    assert a_first == [True, False] * 4 + [True]


def test_a_study_needs_two_dialogues_of_a_scenario():
    study = {"title": "t", "overlap": 1, "is_simulated": False, "start": False}

    with pytest.raises(ValidationError, match="A pair needs two dialogues"):
        speeches.request_speech(make_policy(), SpeechPlan(samples=1), by=None, study=study)


def test_the_estimate_of_a_round_counts_pairs_votes_and_listening():
    estimate = estimates.estimate_round(RoundPlan(system="x", steps=30, per_text=2, samples=1, overlap=3))

    n_texts = estimates.n_texts("held_out")
    assert (estimate.n_scenarios, estimate.n_pairs, estimate.n_votes) == (2 * n_texts, 2 * n_texts, 6 * n_texts)
    assert estimate.listening_hours == pytest.approx(6 * n_texts * 50 / 3600)
    spoken, evaluated = 4 * n_texts, 2 * n_texts * 16
    assert estimate.seconds == pytest.approx(40 + 30 * 1.2 + evaluated * 0.2 + spoken * 0.5)
    assert "no round was done here yet" in estimate.basis


def test_speaking_and_evaluating_much_takes_long_whatever_the_steps():
    few = estimates.estimate_round(RoundPlan(system="x", steps=60, per_text=2, samples=1))
    many = estimates.estimate_round(RoundPlan(system="x", steps=60, per_text=64, samples=64))

    n_scenarios = 64 * estimates.n_texts("held_out")
    assert many.seconds == pytest.approx(40 + 60 * 1.2 + n_scenarios * (16 * 0.2 + 2 * 64 * 0.5))
    assert many.seconds > 100 * few.seconds
    assert (few.time_words, many.time_words) == ("4 minutes", "12.0 hours")


def test_the_rule_knows_how_many_replies_an_evaluation_speaks():
    from policy.learning.evaluation import EvaluationConfig

    assert EvaluationConfig.rollouts + EvaluationConfig.references == estimates.REPLIES_PER_SCENARIO


def test_earlier_rounds_tell_the_pace_of_this_machine_by_what_they_were_asked_for(fake_learning):
    plan = RoundPlan(system="x", steps=60, per_text=64, samples=64)
    stated = estimates.estimate_round(plan).seconds
    round = make_round(steps=600)
    take_time(round, seconds=10)
    its_rule = 40 + 600 * 1.2 + 20 * 16 * 0.2 + 20 * 2 * 0.5  # its report tells 20 scenarios

    estimate = estimates.estimate_round(plan)

    assert (estimate.seconds, estimate.basis) == (pytest.approx(10 / its_rule * stated), "by the last round here")


def test_a_round_that_was_started_more_than_once_tells_no_pace(fake_learning):
    round = make_round()
    take_time(round, seconds=10, fence=2)  # its time counts the last start alone

    assert "no round was done here yet" in estimates.estimate_round(RoundPlan(system="x")).basis


def take_time(round: Round, *, seconds: float, fence: int = 1) -> None:
    run_round(round)
    ended = NOW + timedelta(seconds=seconds)
    Job.objects.filter(pk=round.job_id).update(started_at=NOW, finished_at=ended, fence=fence)


def test_the_update_s_command_names_everything_and_spreads_over_processes(settings):
    settings.TRAIN_PROCESSES = 2
    names = [Path(name) for name in ("start", "model", "held-out", "new", "report.json")]
    folders = commands.RoundFolders(names[0], [names[1]], *names[2:])
    plan = RoundPlan(system="x", steps=9, seed=3, per_text=4)
    cache = ["--cache", str(programs.cache_folder())]
    judges = ["--reward-model", "model", "--held-out-reward-model", "held-out"]

    update = commands.update(folders, plan, None)
    evaluate = commands.evaluate(folders, plan, Path("apart"), is_simulated=True)

    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    expected = [*launcher, "policy", "round", "--policy", "start", *judges, "--part", "train", "--out", "new"]
    assert update == [*expected, "--steps", "9", "--seed", "3", "--kl-target", "0.1", *cache]
    expected = [sys.executable, "-m", "policy", "evaluate", "new", "--reference", "start", *judges]
    expected += ["--scenarios", "apart", "--per-text", "4", "--seed", "3", "--truth", commands.TRUTH]
    assert evaluate == [*expected, "--out", "report.json", *cache]


def test_a_checkpoint_rewarded_by_another_model_is_not_registered():
    lineage = {"policy": "p", "reward_models": ["m"], "held_out_reward_model": None}

    with pytest.raises(ValueError, match="rewarded by other, but the round chose m"):
        registry.refuse_strange({"parent": "p", "reward_models": [{"hash": "other"}]}, lineage)
    registry.refuse_strange({"parent": "p", "reward_models": [{"hash": "m"}]}, lineage)


@pytest.mark.parametrize(("told", "chosen"), [(None, "h"), ({"hash": "other"}, "h"), ({"hash": "other"}, None)])
def test_a_checkpoint_stopped_by_another_held_out_model_is_not_registered(told, chosen):
    lineage = {"policy": "p", "reward_models": ["m"], "held_out_reward_model": chosen}
    program = {"parent": "p", "reward_models": [{"hash": "m"}], "held_out_reward_model": told}

    with pytest.raises(
        ValueError, match=f"held-out reward model was {told['hash'] if told else 'none'}, but the round"
    ):
        registry.refuse_strange(program, lineage)


def test_a_lineage_without_the_hash_of_the_held_out_model_does_not_register():
    told = {"kind": "grpo", "seed": 1, "code": {"p": "1"}, "bank": "b", "files": {"a": "b"}}
    lineage = {"policy": "a", "reward_models": ["m"], "snapshots": ["s"], "studies": [1], "held_out_reward_model": ""}

    with pytest.raises(ValueError, match=r"its lineage lacks held_out_reward_model\."):
        registry.refuse_incomplete(told, lineage)
    registry.refuse_incomplete(told, lineage | {"held_out_reward_model": None})


def test_a_held_out_model_of_simulated_votes_makes_the_round_simulated(fake_learning):
    held_out = make_reward_model(make_small_snapshot(is_simulated=True))
    round = make_round(held_out=held_out)

    run_round(round)

    assert (round.is_simulated, round.study.is_simulated) == (True, True)
    assert round.report["truth_gain_sd"]["value"] == 1.21


def test_the_same_model_under_another_name_is_no_second_opinion():
    policy, model = make_policy(), make_reward_model(name="first")
    same = make_reward_model(name="again", content_hash=model.content_hash)
    plan = RoundPlan(system="policy-r1")

    with pytest.raises(ValidationError, match="'again' is bit by bit 'first', which gives the reward"):
        rounds.request_round(policy, [model], plan, by=None, held_out_reward_model=same)
    with pytest.raises(ValidationError, match="'again' is bit by bit 'first', so it is no second opinion"):
        rounds.request_round(policy, [model, same], plan, by=None)

    assert Round.objects.count() == 0


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_name_that_a_round_or_a_first_policy_will_take_is_refused_when_it_is_asked_for(state):
    policy, model = make_policy("start"), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")
    job = first.request_policy(name="policy-2", by=None, tell_worker=False)
    Job.objects.filter(pk__in=[round.job_id, job.pk]).update(state=state)

    for name, who in (("policy-r1", f"Round '{round}'"), ("policy-2", "A first policy that is being made")):
        with pytest.raises(ValidationError, match=f"{who} takes the name '{name}'. Choose another"):
            rounds.request_round(policy, [model], RoundPlan(system=name), by=None)
        with pytest.raises(ValidationError, match=f"{who} takes the name '{name}'. Choose another"):
            first.request_policy(name=name, by=None)

    assert (Round.objects.count(), Job.objects.filter(kind=first.KIND).count()) == (1, 1)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_round_that_ended_without_a_policy_leaves_its_name_to_another(state):
    policy, model = make_policy(), make_reward_model()
    round = make_round(policy, [model], system="policy-r1")
    Job.objects.filter(pk=round.job_id).update(state=state)

    other = make_round(policy, [model], system="policy-r1")

    assert other.parameters["system"] == "policy-r1"


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


def test_the_name_proposed_is_neither_in_use_nor_asked_for():
    make_round(make_policy("policy-2"), system="policy-r1")
    first.request_policy(name="policy-3", by=None, tell_worker=False)

    assert (names.free_name("policy-", 2), names.free_name("policy-r", 1)) == ("policy-4", "policy-r2")


def test_speaking_is_never_spread(tmp_path, settings):
    settings.TRAIN_PROCESSES = 2

    command = commands.speak(tmp_path, tmp_path / "o", system="s", plan=SpeechPlan(), scenarios=None)

    assert command[:4] == [sys.executable, "-m", "policy", "speak"]


def test_the_commands_make_a_policy_have_it_speak_and_run_a_round(fake_learning, capsys):
    model = make_reward_model()

    call_command("make_policy", "policy-1", "--here")
    policy = PolicyCheckpoint.objects.get()
    call_command("speak_policy", policy.pk, "--per-text", "1", "--samples", "2", "--study", "Which one?", "--here")
    arguments = ["--reward-model", str(model.pk), "--system", "policy-r1", "--per-text", "1", "--start-study", "--here"]
    call_command("start_round", policy.pk, *arguments)

    printed = capsys.readouterr().out
    round = Round.objects.get()
    assert f"Registered policy {policy.pk} 'policy-1'" in printed
    assert "6 dialogues" in printed
    assert f"Round {round.pk} 'policy-1 → policy-r1' is done" in printed
    assert f"study   {round.study.pk}" in printed
    assert "KL      0.083 nats per token" in printed
    assert (System.objects.count(), round.study.state) == (2, "running")


def test_a_finished_round_prints_truth_and_its_rival_where_raters_are_simulated(fake_learning, capsys):
    policy, model = make_policy(), make_reward_model(make_small_snapshot(is_simulated=True))

    call_command("start_round", policy.pk, "--reward-model", str(model.pk), "--system", "policy-r1", "--here")

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-5:] == [
        "reward  1.21 [0.95, 1.47] sd",
        "truth   1.21 [0.95, 1.47] sd, simulated",
        "KL      0.083 nats per token",
        "best of 9  reward 0.90 [0.60, 1.20] sd, truth 0.30 [0.10, 0.50] sd, KL 0.080 nats per token",
        "sound   1 of 1 as wanted",
    ]


def test_the_commands_refuse_who_may_not_and_what_is_not_there():
    researcher = make_user("researcher")

    with pytest.raises(CommandError, match="No admin has the address"):
        call_command("make_policy", "policy-1", "--by", researcher.email)
    with pytest.raises(CommandError, match="There is no policy 7"):
        call_command("start_round", 7, "--system", "x", "--reward-model", "1")
    with pytest.raises(CommandError, match="There is no reward model 7"):
        call_command("start_round", make_policy().pk, "--system", "x", "--reward-model", "7")

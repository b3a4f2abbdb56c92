"""First policies and speech by the fake program, lineage that is complete or refused, and the command lines."""

import sys
import zipfile
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from annotation.models import Dialogue, System
from earshot.jobs import artefacts, programs
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round
from policy.services import commands, first, registry, speeches
from policy.services.plans import RoundPlan, SpeechPlan
from tests.factories import make_user
from tests.policy.fake_round import make_policy
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


def test_a_finished_round_prints_truth_and_its_rivals_where_raters_are_simulated(fake_learning, capsys):
    policy, model = make_policy(), make_reward_model(make_small_snapshot(is_simulated=True))

    call_command("start_round", policy.pk, "--reward-model", str(model.pk), "--system", "policy-r1", "--here")

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-6:] == [
        "reward  1.21 [0.95, 1.47] sd",
        "truth   1.21 [0.95, 1.47] sd, simulated",
        "KL      0.083 nats per token",
        "best of 9  reward 0.90 [0.60, 1.20] sd, truth 0.30 [0.10, 0.50] sd, KL 0.080 nats per token",
        "reference, less varied  reward 0.90 [0.60, 1.20] sd, truth 0.30 [0.10, 0.50] sd, KL 0.020 nats per token",
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

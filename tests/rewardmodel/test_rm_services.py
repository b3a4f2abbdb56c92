"""A reward model from a snapshot: asked for, trained by a child process, registered, or refused in plain words."""

import json
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from earshot.accounts.models import AuditEntry
from earshot.formats.bundles import hash_files
from earshot.jobs import artefacts, programs
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from rewardmodel import services
from rewardmodel.models import RewardModelRun
from rewardmodel.services import contents, estimates, training
from tests.annotation.judged import make_judged_study, make_snapshot
from tests.factories import NOW, make_user
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot, run_job
from tests.rewardmodel.fake_program import fake_command

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def snapshot():
    return make_small_snapshot()


def ask(snapshot, **asked) -> RewardModelRun:
    """For a training that is run here."""
    return services.request_run(snapshot, **{"by": None, "tell_worker": False, **asked})


def train(run: RewardModelRun) -> Job:
    job = run_job(run.job, services.run_training)
    run.refresh_from_db()
    return job


def test_the_estimate_counts_what_there_is_to_learn_from_and_names_its_rule():
    snapshot = make_snapshot(make_judged_study())

    estimate = services.estimate_run(snapshot)

    size = estimate.size
    assert (size.n_judgments, size.n_pairs, size.n_dialogues) == (4, 2, 4)
    assert size.audio_hours == pytest.approx(4 * 10 / 3600)
    assert estimate.seconds == pytest.approx(15 + 45 * 40 / 3600 + 4 / 1000 * 15 + 40 * 0.032)
    assert estimate.basis == "no training was done here yet: a rule for two cores"


def test_the_estimate_grows_with_epochs_probes_and_the_sound_of_what_it_is_measured_on():
    snapshot, apart = make_small_snapshot(), make_small_snapshot()  # 120 judgments, 6 dialogues, 3 hours each

    plain = services.estimate_run(snapshot, probes=False)
    longer = services.estimate_run(snapshot, probes=False, epochs=250)
    probed = services.estimate_run(snapshot)
    measured = services.estimate_run(snapshot, probes=False, evaluate_on=apart)

    assert plain.seconds == pytest.approx(15 + 3 * 45 + 0.12 * 15)
    assert longer.seconds == pytest.approx(15 + 3 * 45 + 0.12 * 150)
    assert probed.seconds == pytest.approx(plain.seconds + 3 * 3600 * 0.032)  # all six: half an hour each
    assert measured.seconds == pytest.approx(plain.seconds + 3 * 45)


def test_the_rule_knows_how_many_epochs_the_program_takes_by_itself():
    from rewardmodel.learning.judgments import KINDS
    from rewardmodel.learning.training import TrainingConfig

    assert TrainingConfig.epochs == estimates.DEFAULT_EPOCHS
    assert contents.KINDS == KINDS


def test_the_estimate_goes_by_the_last_trainings_when_there_are_any():
    snapshot = make_snapshot(make_judged_study())
    for seconds in (120, 360):
        train_in(snapshot, seconds)

    estimate = services.estimate_run(snapshot)

    assert (estimate.seconds, estimate.basis) == (pytest.approx(240), "by the last 2 trainings here")


def test_earlier_trainings_tell_the_pace_of_this_machine_by_what_they_were_asked_for():
    snapshot = make_small_snapshot()
    train_in(snapshot, 10, parameters={"seed": 1, "epochs": 2500, "probes": False})
    stated = 15 + 3 * 45 + 0.12 * 1500

    estimate = services.estimate_run(snapshot, probes=False)

    assert estimate.seconds == pytest.approx(10 / stated * (15 + 3 * 45 + 0.12 * 15))


def test_a_training_that_was_started_more_than_once_tells_no_pace():
    snapshot = make_small_snapshot()
    train_in(snapshot, 10, fence=2)  # its time counts the last start alone

    estimate = services.estimate_run(snapshot)

    assert estimate.basis == "no training was done here yet: a rule for two cores"


def train_in(snapshot, seconds: float, *, fence: int = 1, **fields) -> None:
    run = make_reward_model(snapshot, **fields)
    ended = NOW + timedelta(seconds=seconds)
    Job.objects.filter(pk=run.job_id).update(started_at=NOW, finished_at=ended, fence=fence)


def test_a_training_registers_the_model_with_its_hash_its_report_and_its_curves(snapshot, fake_learning):
    person = make_user("researcher")
    run = ask(snapshot, by=person, seed=7, epochs=3)
    assert (run.state, run.name) == ("queued", "first, seed 7")

    job = train(run)

    assert (job.state, job.error) == ("succeeded", "")
    assert run.state == "ready"
    assert (run.report["heads"]["overall"]["accuracy"]["value"], run.report["probes"]["size_of_change"]) == (
        0.79,
        {"overall": 0.03},
    )
    assert list(job.metrics.filter(name="loss").values_list("step", flat=True)) == [1, 2, 3, 4, 5, 6]
    with artefacts.local_copy(run.archive_sha256) as archive, zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["config.json", "model.safetensors", "report.json"]
        assert packed.read("model.safetensors") == b"weights of seed 7, epochs 3"
    overall = {"accuracy": 0.79, "accuracy_low": 0.74, "accuracy_high": 0.84, "ceiling": 0.85}
    assert job.result == {"run": run.pk, "content_hash": run.content_hash, "overall": pytest.approx(overall)}
    assert not (programs.run_folder(job.pk) / "model").exists()  # all of it is kept by hash
    assert list(AuditEntry.objects.filter(action__startswith="reward_model").values_list("action", "user")) == [
        ("reward_model.registered", person.pk),
        ("reward_model.started", person.pk),
    ]


def test_the_content_hash_is_of_the_model_and_not_of_its_report(snapshot, fake_learning, tmp_path):
    runs = [ask(snapshot, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        train(run)

    first, same, other = (run.content_hash for run in runs)
    assert first == same != other
    folder = training.unpack_model(runs[0], tmp_path)
    assert hash_files(folder, ["config.json", "model.safetensors"]) == first
    (folder / "report.json").write_text("{}")
    assert hash_files(folder, ["config.json", "model.safetensors"]) == first


def test_a_worker_is_told_of_a_training_unless_it_is_run_here(snapshot, monkeypatch):
    sent = []
    monkeypatch.setattr("earshot.jobs.services.lifecycle.send", lambda job_id, *_: sent.append(job_id))

    told = services.request_run(snapshot, by=None)
    here = services.request_run(snapshot, by=None, tell_worker=False)

    assert sent == [told.job_id]
    assert here.job.send_again_at > here.job.created_at  # time enough to begin before the reaper sends it


def test_a_registered_model_is_left_as_it_is(snapshot, fake_learning):
    run = ask(snapshot)
    train(run)
    hash_before = run.content_hash

    with pytest.raises(ValueError, match="is registered and does not change"):
        run.save()
    held = jobs.RunningJob(Job(arguments={"run": run.pk}))
    services.run_training(held)  # a job that starts once more

    assert RewardModelRun.objects.get().content_hash == hash_before
    assert (held.result["run"], held.result["content_hash"]) == (run.pk, hash_before)


def test_a_model_of_another_snapshot_is_not_registered(snapshot, fake_learning, monkeypatch):
    run = ask(snapshot)
    folder = programs.run_folder(run.job_id)
    strange = f"import json, pathlib; m = pathlib.Path({str(folder / 'model')!r}); m.mkdir(parents=True); " + "".join(
        f"(m / {name!r}).write_text({text!r}); "
        for name, text in (
            ("model.safetensors", "w"),
            ("report.json", "{}"),
            ("config.json", json.dumps({"training": {"snapshot": "f" * 64}})),
        )
    )
    done = [sys.executable, "-c", "pass"]
    monkeypatch.setattr(
        programs, "command", lambda module, what, *_, **__: [sys.executable, "-c", strange] if what == "train" else done
    )

    job = train(run)

    assert job.state == "failed"
    assert job.error.startswith(f"The model says that it was trained on snapshot {'f' * 64}, but the run asked for ")
    assert run.state == "failed"


def test_without_the_learning_side_the_job_says_so_in_one_sentence(snapshot, monkeypatch):
    monkeypatch.setattr(programs, "NEEDED", ("torch_that_is_not_there",))
    run = ask(snapshot)

    job = train(run)

    assert job.state == "failed"
    assert job.error.startswith("This worker cannot train: torch_that_is_not_there is not installed beside it.")
    assert "start this job again" in job.error


def test_what_the_program_refuses_stands_on_the_job(snapshot, fake_learning, monkeypatch):
    words = "The snapshot has no scenario in its training split. Judge more scenarios."
    refusal = [sys.executable, "-c", f"import sys; print({words!r}, file=sys.stderr); sys.exit(2)"]
    monkeypatch.setattr(programs, "command", lambda *_, **__: refusal)

    job = train(ask(snapshot))

    assert f"ended with status 2. Its last words: {words}" in job.error


def test_a_model_measured_on_another_snapshot_learns_from_every_scenario(snapshot, fake_learning):
    apart = make_small_snapshot()
    run = ask(snapshot, evaluate_on=apart)

    job = train(run)

    assert (job.state, run.evaluation_snapshot) == ("succeeded", apart)
    command = training.train_command(run, Path("s"), Path("m"), watch=Path("apart"))
    assert command[-6:-2] == ["--split", "all", "--watch", "apart"]
    with pytest.raises(ValidationError, match="not measured on what it was trained on"):
        ask(snapshot, evaluate_on=snapshot)


def test_a_snapshot_without_a_held_out_scenario_is_trained_on_and_the_report_says_why_nothing_was_measured(
    fake_learning, capsys
):
    scenarios = {"a": "train", "b": "train", "gold": "test", "failed": "test", "both bad": "validation"}
    judged = {"gold": {"pair_kind": "gold"}, "failed": {"quality": "fail"}, "both bad": {"value": None}}
    snapshot = make_small_snapshot(scenarios=scenarios, judged=judged)
    reason = "Nothing can be measured: no judgment that counts falls on a held-out scenario of this snapshot."

    assert services.estimate_run(snapshot).not_measured.startswith(reason)
    run = ask(snapshot)
    job = train(run)
    call_command("train_reward_model", snapshot.pk, "--here", "--seed", "9")

    assert (job.state, job.error, run.state) == ("succeeded", "", "ready")
    assert (run.report["heads"], run.report["not_measured"]) == ({}, services.estimate_run(snapshot).not_measured)
    assert job.result["overall"] == dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "ceiling"))
    assert f"not measured  {reason}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("learned", "measured", "message"),
    [
        ({"scenarios": {"a": "test"}}, None, "has no judgment that counts on a scenario to train on"),
        ({"scenarios": {"a": "test"}, "judged": {"a": {"value": None}}}, {}, "has no judgment that counts to train on"),
        (
            {"scenarios": {"a": "train", "b": "test"}},
            {"scenarios": {"b": "test"}},
            "Every scenario of snapshot 'first'",
        ),
        ({}, {"dimensions": ("warmth", "overall")}, "does not ask about prosody, emotional continuity, immersion"),
    ],
)
def test_a_training_that_could_not_be_finished_is_refused_before_it_starts(learned, measured, message):
    snapshot = make_small_snapshot(**learned)
    apart = None if measured is None else make_small_snapshot(**measured)

    with pytest.raises(ValidationError, match=message):
        services.request_run(snapshot, by=None, evaluate_on=apart)

    assert (RewardModelRun.objects.count(), Job.objects.filter(kind=services.KIND).count()) == (0, 0)


def test_a_training_without_probes_runs_none(snapshot, fake_learning):
    run = ask(snapshot, probes=False)

    train(run)

    assert "probes" not in run.report


@pytest.mark.parametrize(("seed", "epochs", "message"), [(-1, None, "The seed -1 is out"), (1, 0, "0 epochs train")])
def test_numbers_that_cannot_be_are_refused(snapshot, seed, epochs, message):
    with pytest.raises(ValidationError, match=message):
        services.request_run(snapshot, by=None, seed=seed, epochs=epochs)

    assert (RewardModelRun.objects.count(), Job.objects.filter(kind=services.KIND).count()) == (0, 0)


def test_the_command_names_the_snapshot_the_seed_and_a_cache_and_spreads_over_processes(snapshot, settings, tmp_path):
    run = ask(snapshot, seed=3, epochs=9)
    cache = str(programs.cache_folder())
    words = [str(tmp_path), "--out", str(tmp_path / "m"), "--seed", "3", "--epochs", "9", "--cache", cache]

    one = training.train_command(run, tmp_path, tmp_path / "m", watch=tmp_path)
    settings.TRAIN_PROCESSES = 4
    four = training.train_command(run, tmp_path, tmp_path / "m", watch=tmp_path)

    assert one == [sys.executable, "-m", "rewardmodel", "train", *words]
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "4"]
    assert four == [sys.executable, "-m", *launcher, "-m", "rewardmodel", "train", *words]
    assert training.measure_command("evaluate", tmp_path, tmp_path)[:4] == [
        *(sys.executable, "-m", "rewardmodel", "evaluate"),
    ]


def test_the_command_line_trains_here_and_prints_number_hash_and_accuracy(snapshot, fake_learning, capsys):
    call_command("train_reward_model", snapshot.pk, "--here", "--seed", "5")

    run = RewardModelRun.objects.get()
    printed = capsys.readouterr().out
    assert f"Registered reward model {run.pk} 'first, seed 5'" in printed
    assert run.content_hash in printed
    assert "overall       0.79 [0.74, 0.84], ceiling 0.85 [0.82, 0.88]" in printed


def test_the_command_line_refuses_who_may_not_and_what_is_not_there(snapshot):
    annotator = make_user()
    with pytest.raises(CommandError, match="No researcher or admin has the address"):
        call_command("train_reward_model", snapshot.pk, "--by", annotator.email)
    with pytest.raises(CommandError, match="There is no snapshot 999"):
        call_command("train_reward_model", 999)


def test_the_fake_and_the_true_command_take_the_same_arguments():
    assert fake_command("rewardmodel", "train", 1)[2:] == programs.command("rewardmodel", "train", 1)[2:]

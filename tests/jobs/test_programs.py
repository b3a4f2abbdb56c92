"""Commands of the learning side, and jobs of several steps or with another job inside."""

import sys
import zipfile

import pytest
from django.utils import timezone

from earshot.formats.bundles import hash_files, pack_files, unpack_files
from earshot.jobs import programs, queries, services
from earshot.jobs.models import Job
from earshot.jobs.services import running
from tests.jobs.jobs_by_hand import make_job


def test_one_process_is_started_plainly_and_several_by_torchrun(settings):
    assert programs.command("policy", "train", 3, spread=True) == [sys.executable, "-m", "policy", "train", "3"]
    settings.TRAIN_PROCESSES = 2

    spread = programs.command("policy", "train", spread=True)

    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert spread == [sys.executable, "-m", *launcher, "-m", "policy", "train"]
    assert programs.command("policy", "speak") == [sys.executable, "-m", "policy", "speak"]


def test_what_the_learning_side_lacks_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setattr(programs, "NEEDED", ("json", "no_such_module"))

    with pytest.raises(ValueError, match=r"no_such_module is not installed beside it\. .*pip install \.\[train\]"):
        programs.require_learning_side()


@pytest.mark.django_db
def test_steps_of_a_job_share_its_bar_and_may_be_nested():
    job = make_job()
    with running(job.pk, job.fence) as held:
        held._written_at = float("-inf")
        with held.stretch(0.2, 0.6), held.stretch(0.5, 1.0):
            held.report(0.5, "in the second half of the second step")
            job.refresh_from_db()
            assert job.progress == pytest.approx(0.5)
        held._written_at = float("-inf")
        held.report(0.7)
        job.refresh_from_db()
        assert job.progress == pytest.approx(0.7)


@pytest.mark.django_db(transaction=True)
def test_a_job_inside_another_reports_to_both_and_stops_with_it():
    outer, inner = make_job(), make_job()

    with running(outer.pk, outer.fence) as held:
        with held.stretch(0.5, 1.0), running(inner.pk, inner.fence, within=held) as part:
            part.report(0.4, "inside")
            outer.refresh_from_db()
            assert (outer.progress, outer.message) == (pytest.approx(0.7), "inside")
            services.cancel(outer, by=None, at=timezone.now())
            held._written_at = float("-inf")
            part.report(0.6)
        held.check()

    outer.refresh_from_db()
    inner.refresh_from_db()
    assert (outer.state, inner.state) == (Job.State.CANCELLED, Job.State.CANCELLED)


def test_a_job_of_many_curves_shows_first_what_one_looks_for_and_folds_the_rest():
    few, many = ["b", "a"], ["clipped_share", "entropy", "kl_k3", "kl_weight", "level_db", "reward", "speech_share"]

    assert (queries.main_curves(few), queries.further_curves(few)) == (few, [])
    assert queries.main_curves(many) == ["reward", "entropy"]
    assert queries.further_curves(many) == ["clipped_share", "kl_k3", "kl_weight", "level_db", "speech_share"]
    unknown = list("abcdefgh")
    assert (queries.main_curves(unknown), queries.further_curves(unknown)) == (list("abcdef"), ["g", "h"])


def test_the_same_files_have_one_hash_and_one_archive_whatever_else_is_there(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "other" / "run").mkdir()
    names = ["model.safetensors", "config.json"]

    for name in ("one", "other"):
        pack_files(tmp_path / name, names, tmp_path / f"{name}.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    assert hash_files(tmp_path / "one", names) == hash_files(tmp_path / "other", names[::-1])
    (tmp_path / "other" / "config.json").write_text("{ }")
    assert hash_files(tmp_path / "one", names) != hash_files(tmp_path / "other", names)
    with pytest.raises(ValueError, match=r"report\.json is missing in one"):
        hash_files(tmp_path / "one", ["report.json"])


def test_an_archive_is_unpacked_whole_or_not_at_all_and_only_into_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as packed:
        packed.writestr("config.json", "{}")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("../outside", "x")
    (tmp_path / ".out.draft").mkdir()  # of an attempt that was killed
    (tmp_path / ".out.draft" / "half").touch()

    out = unpack_files(tmp_path / "good.zip", tmp_path / "out")

    assert [path.name for path in out.iterdir()] == ["config.json"]
    with pytest.raises(ValueError, match="which leads out of its folder"):
        unpack_files(tmp_path / "bad.zip", tmp_path / "elsewhere")
    assert not (tmp_path / "outside").exists()

import hashlib
import threading
import zipfile
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connections

from annotation.models import Judgment, QualityVerdict, Snapshot, SnapshotFamily
from annotation.services import exclusions, judgments, snapshots, studies
from annotation.services.snapshots import SnapshotFilter, making, rows
from annotation.services.snapshots.identity import Names
from earshot.formats.snapshot import read_snapshot
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.annotation.judged import (
    LONG_AGO,
    judge,
    make_judged_study,
    make_snapshot,
    make_sounding_pair,
    mark_turn,
    run,
)
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, answer, join, make_lease, make_study, make_user, minutes

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def unpack(snapshot, folder):
    with artefacts.local_copy(snapshot.archive_sha256) as archive, zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return read_snapshot(folder)


def scratch():
    return [path.name for path in artefacts.scratch_folder().glob("snapshot-*")]


def test_a_snapshot_holds_what_was_judged(tmp_path):
    study = make_study()
    pair = make_sounding_pair(study)
    rater = join(study)
    judgment = judge(pair, 2, rater, prosody=-1)
    mark_turn(judgment, dimension="prosody")

    made = unpack(make_snapshot(study), tmp_path)

    names = Names(study)
    (row,) = made.rows("judgments")
    assert (row.judgment_id, row.pair_id, row.study_id) == (
        names.judgment(judgment.pk),
        names.pair(pair.pk),
        names.study(study.pk),
    )
    assert (row.rater, row.is_simulated, row.is_late, row.confidence) == (names.rater(rater.pk), False, False, 3)
    assert row.side_left == judgment.lease.side_left
    assert row.heard_first == judgment.lease.letter(judgment.lease.heard_first)
    reasons = tuple(f"{check}: the study records no listening" for check in ("listening", "stalls"))
    assert (row.quality, row.quality_reasons) == ("unknown", reasons)
    assert row.created_at == NOW
    assert {score.dimension: score.value for score in made.rows("scores")} == {
        "prosody": -1,
        "emotional_continuity": 2,
        "immersion": 2,
        "overall": 2,
    }
    (mark,) = made.rows("marks")
    assert (mark.dialogue_id, mark.turn, mark.seconds, mark.dimension) == (
        pair.dialogue_a.dialogue_id,
        1,
        6.0,
        "prosody",
    )
    (pair_row,) = made.rows("pairs")
    assert (pair_row.system_a, pair_row.system_b, pair_row.gain_db_a) == ("x", "y", 0.0)
    assert made.audio_path(pair.dialogue_a.master_sha256).read_bytes() == b"sound 0 of x"
    assert len(list(made.rows("turns"))) == 4
    assert made.manifest.counts == {"in": 1, "out": {}}
    assert made.manifest.dimensions == ("prosody", "emotional_continuity", "immersion", "overall")


def test_no_address_and_no_key_of_a_person_leaves_in_a_snapshot(tmp_path):
    study = make_study()
    rater = join(study, make_user(email="someone.special@example.org", name="Someone Special"))
    judge(make_sounding_pair(study), 1, rater)

    made = unpack(make_snapshot(study), tmp_path)

    everything = b"".join(path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    assert b"someone" not in everything.lower()
    assert SnapshotFamily.objects.get().secret.encode() not in everything


def test_the_same_judgments_under_the_same_filter_are_one_snapshot():
    study = make_judged_study()

    first = make_snapshot(study, name="first")
    again = make_snapshot(study, name="second")

    assert first == again
    assert Snapshot.objects.count() == 1
    assert [job.result["is_new"] for job in Job.objects.order_by("created_at")] == [True, False]


def test_another_filter_is_another_snapshot_with_the_first_as_its_parent():
    study = make_judged_study()
    first = make_snapshot(study)

    other = make_snapshot(study, filter=SnapshotFilter(dimensions=("prosody", "overall")))

    assert other.content_id != first.content_id
    assert other.parent == first
    assert other.filter["dimensions"] == ["prosody", "overall"]
    assert other.counts["changes"]["scores"] == {"added": 0, "removed": 8, "changed": 0}
    assert other.counts["changes"]["judgments"] == {"added": 0, "removed": 0, "changed": 0}


def test_a_later_snapshot_tells_what_was_added_and_changed():
    study = make_judged_study(n_pairs=1)
    make_snapshot(study)
    Judgment.objects.order_by("pk").first().scores.filter(dimension__key="overall").update(value=-3)
    judge(make_sounding_pair(study, 7), at=NOW + minutes(1))

    later = make_snapshot(study, at=NOW + minutes(2))

    assert later.counts["changes"]["scores"] == {"added": 4, "removed": 0, "changed": 1}
    assert later.counts["changes"]["judgments"] == {"added": 1, "removed": 0, "changed": 0}
    assert later.counts["changes"]["turns"] == {"added": 4, "removed": 0, "changed": 0}


def test_every_judgment_left_out_is_counted_once_with_its_reason(tmp_path):
    study = make_study(overlap=9)
    pair = make_sounding_pair(study)
    kept, failed, early, excluded = (judge(pair, at=NOW + timedelta(days=day)) for day in (1, 1, 0, 1))
    QualityVerdict.objects.filter(judgment=failed).update(verdict="fail")
    late = make_lease(pair, at=NOW)
    answer(late)
    judgments.submit(late, at=late.expires_at)
    answer(make_lease(pair))  # a draft is no judgment
    filter = SnapshotFilter(since=NOW + minutes(60), excluded_raters=(Names(study).rater(excluded.lease.annotator_id),))

    snapshot = make_snapshot(study, filter=filter, at=NOW + timedelta(days=2))

    assert snapshot.counts["in"] == 1
    assert snapshot.counts["out"] == {"before the first day": 1, "excluded rater": 1, "late": 1, "quality fail": 1}
    (row,) = unpack(snapshot, tmp_path).rows("judgments")
    assert row.judgment_id == Names(study).judgment(kept.pk)
    assert early.submitted_at < filter.since


def test_late_judgments_are_taken_in_on_wish_and_marked(tmp_path):
    study = make_study()
    lease = make_lease(make_sounding_pair(study))
    answer(lease)
    judgments.submit(lease, at=lease.expires_at)

    snapshot = make_snapshot(study, filter=SnapshotFilter(include_late=True), at=NOW + minutes(60))

    assert [row.is_late for row in unpack(snapshot, tmp_path).rows("judgments")] == [True]


def test_judgments_submitted_after_it_was_asked_for_stay_out():
    study = make_judged_study(n_pairs=1, n_raters=1)
    job = snapshots.store_snapshot_job(study, name="first", by=None, at=NOW)
    judge(make_sounding_pair(study, 5), at=NOW + minutes(1))

    run(job)

    assert Snapshot.objects.get().counts["in"] == 1


def test_simulated_judgments_are_in_only_on_wish_and_always_marked(tmp_path):
    study = make_simulated_study(n_scenarios=1)
    for pair in study.pairs.all():
        for dialogue in (pair.dialogue_a, pair.dialogue_b):
            dialogue.master_sha256 = artefacts.put_bytes(dialogue.dialogue_id.encode())
            dialogue.save()
    call_command("simulate_judgments", study.pk, "--judgments", "5")
    asked = {"at": NOW + timedelta(days=36500)}  # simulated raters live by the wall clock

    made = unpack(make_snapshot(study, **asked), tmp_path)
    job = run(snapshots.store_snapshot_job(study, name="people", filter=SnapshotFilter(), by=None, **asked))

    assert {row.is_simulated for row in made.rows("judgments")} == {True}
    assert "simulated raters, who heard nothing" in (tmp_path / "README.md").read_text()
    assert (job.state, job.error) == (
        "failed",
        f"The filter keeps no judgment of study '{study}': 5 simulated. Widen the filter.",
    )


def test_pseudonyms_are_stable_in_a_family_and_differ_between_families():
    study, other = make_study(), make_study()
    researcher = make_user("researcher")
    copy = studies.copy_study(study, by=researcher, at=NOW)
    rater = make_user()

    assert Names(study).rater(rater.pk) == Names(copy).rater(rater.pk)
    assert Names(study).rater(rater.pk) != Names(other).rater(rater.pk)
    assert Names(study).judgment(1) != Names(study).pair(1)


@pytest.mark.parametrize("stage", ["to_tables", "write_snapshot", "archive.pack", "_store"])
def test_a_snapshot_cut_off_anywhere_ends_as_an_undisturbed_one(monkeypatch, stage):
    study = make_judged_study()
    undisturbed = make_snapshot(study)
    job = Job.objects.get()
    expected = (undisturbed.content_id, undisturbed.archive_sha256, undisturbed.counts)
    Snapshot.objects.all().delete()
    Job.objects.filter(pk=job.pk).update(state="queued", fence=2)
    job.refresh_from_db()

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"annotation.services.snapshots.making.{stage}", die)
        with pytest.raises(Killed):
            run(job)
    assert Snapshot.objects.count() == 0
    Job.objects.filter(pk=job.pk).update(state="queued", fence=3)
    job.refresh_from_db()
    run(job)

    snapshot = Snapshot.objects.get()
    assert (snapshot.content_id, snapshot.archive_sha256, snapshot.counts) == expected
    assert scratch() == []


def test_a_worker_killed_outright_leaves_its_scratch_for_the_next_attempt_to_remove():
    study = make_judged_study()
    job = snapshots.store_snapshot_job(study, name="first", by=None, at=NOW)
    (artefacts.scratch_folder() / f"snapshot-{job.pk}-killed").mkdir()

    run(job)

    assert scratch() == []


def test_a_worker_whose_job_was_given_to_another_makes_no_snapshot(monkeypatch):
    study = make_judged_study()
    job = snapshots.store_snapshot_job(study, name="first", by=None, at=NOW)
    pack = making.archive.pack

    def pack_slowly(folder, packed):
        pack(folder, packed)
        Job.objects.filter(pk=job.pk).update(fence=2)  # the reaper took it for dead

    monkeypatch.setattr(making.archive, "pack", pack_slowly)
    run(job)

    assert Snapshot.objects.count() == 0


def test_a_missing_sound_fails_with_its_hash():
    study = make_judged_study(n_pairs=1)
    dialogue = study.pairs.get().dialogue_a
    dialogue.master_sha256 = hashlib.sha256(b"never stored").hexdigest()
    dialogue.save()

    job = run(snapshots.store_snapshot_job(study, name="first", by=None, at=NOW))

    assert job.state == "failed"
    assert dialogue.master_sha256 in job.error
    assert (Snapshot.objects.count(), scratch()) == (0, [])


def test_a_study_without_judgments_has_no_snapshot():
    study = make_study(title="Empty")
    answer(make_lease(make_sounding_pair(study)))  # a draft only

    with pytest.raises(ValidationError, match="Study 'Empty' has no judgments yet"):
        snapshots.request_snapshot(study, name="first", by=None)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "  "}, "Give the snapshot a name"),
        ({"filter": SnapshotFilter(dimensions=("taste",))}, "does not ask 'taste'"),
        ({"filter": SnapshotFilter(quality=("good",))}, "'good' is no verdict"),
        ({"filter": SnapshotFilter(quality=())}, "No quality verdict is taken in"),
        ({"filter": SnapshotFilter(since=NOW, until=NOW)}, "must come after the first"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_at_once(asked, message):
    study = make_judged_study(n_pairs=1, n_raters=1)

    with pytest.raises(ValidationError, match=message):
        snapshots.request_snapshot(study, **{"name": "first", "by": None, **asked})
    assert Job.objects.count() == 0


def test_filter_comes_back_whole_from_the_jobs_arguments():
    filter = SnapshotFilter(
        quality=("pass",), include_late=True, since=NOW, until=NOW + minutes(5), excluded_raters=("r-1",)
    )

    assert SnapshotFilter.from_json(filter.to_json()) == filter


def test_asking_enqueues_the_job_by_its_name():
    researcher = make_user("researcher")
    study = make_judged_study(n_pairs=1, n_raters=1)

    job = snapshots.request_snapshot(study, name="first", by=researcher, at=NOW)

    assert (job.kind, job.state, job.created_by) == ("annotation.make_snapshot", "queued", researcher)
    run(job)
    assert Snapshot.objects.get().created_by == researcher


def test_the_reading_does_not_make_writers_wait():
    study = make_judged_study(n_pairs=1, n_raters=1)
    pair = make_sounding_pair(study, 3)
    selection = rows.select(study, SnapshotFilter().resolved(study), Names(study), as_of=NOW)

    def write():
        judge(pair)
        connections.close_all()

    with rows.one_state():
        before = len(list(rows.score_rows(selection)))
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=10)
        assert not writer.is_alive()
        assert Judgment.objects.count() == 1  # still the state at the first read
    assert before == 4
    assert Judgment.objects.count() == 2


def test_the_command_takes_in_no_judgment_of_an_excluded_rater_as_the_page_does():
    study = make_judged_study(at=LONG_AGO)
    rater = Judgment.objects.earliest("pk").lease.annotator
    exclusions.exclude(study, rater, reason="clicks at random", by=make_user("admin"), at=NOW)

    call_command("make_snapshot", study.pk, "--name", "first", "--here")

    assert Snapshot.objects.get().counts["out"] == {"excluded rater": 1}


def test_command_makes_a_snapshot_here_and_tells_its_id(capsys):
    study = make_judged_study(at=LONG_AGO)

    call_command("make_snapshot", study.pk, "--name", "first", "--here")

    snapshot = Snapshot.objects.get()
    out = capsys.readouterr().out
    assert f"content id  {snapshot.content_id}" in out
    assert "4 in; out: none" in out
    call_command("make_snapshot", study.pk, "--name", "again", "--here")
    assert f"The same rows were kept before, as snapshot {snapshot.pk} 'first'" in capsys.readouterr().out


def test_command_refuses_in_clear_words():
    study = make_study(title="Empty")

    with pytest.raises(CommandError, match="There is no study 999"):
        call_command("make_snapshot", 999, "--name", "x")
    with pytest.raises(CommandError, match="Study 'Empty' has no judgments yet"):
        call_command("make_snapshot", study.pk, "--name", "x")
    with pytest.raises(CommandError, match="No researcher or admin has the address"):
        call_command("make_snapshot", study.pk, "--name", "x", "--by", "nobody@example.org")


def test_the_task_is_known_by_its_name_and_safe_to_run_twice():
    from annotation.tasks import make_snapshot as task

    study = make_judged_study(n_pairs=1, n_raters=1)
    job = snapshots.store_snapshot_job(study, name="first", by=None, at=NOW)

    task(str(job.pk), job.fence)
    task(str(job.pk), job.fence)

    assert task.name == snapshots.KIND
    assert Snapshot.objects.count() == 1
    job.refresh_from_db()
    assert (job.state, jobs.claim(job.pk, job.fence, at=NOW)) == ("succeeded", None)

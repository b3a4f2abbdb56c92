"""Statistics are computed once and kept: small studies on request, large ones by a job; each says how fresh it is."""

import pytest

from annotation.models import Exclusion, Membership, Pair, QualityVerdict, Scenario, Study, StudyStatistics
from annotation.services import exclusions, leases
from annotation.services.simulation import simulate_judgments
from annotation.services.statistics import keeping, material
from earshot.accounts.models import AuditEntry
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.annotation.judged import judge
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, make_pair, make_study, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def large(monkeypatch):
    """Every study is a large one."""
    monkeypatch.setattr(keeping, "SMALL_SCORES", 0)


def run(job, at=NOW):
    with jobs.running(job.pk, job.fence) as held:
        keeping.run_update(held, at=at)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    return job


def current(study, stratum="", at=NOW):
    return keeping.current_statistics(study, stratum, at=at)


def fresh(study):
    return keeping.freshness_of(study, StudyStatistics.objects.filter(study=study, stratum="").first())


def test_a_small_study_is_computed_when_it_is_looked_at_and_kept_until_something_changes(django_assert_max_num_queries):
    study = make_study()
    pair = make_pair(study)
    judge(pair, 2)
    first = current(study)
    assert (first.n_judgments, first.newest_at, first.payload["n"]["raters"]) == (1, NOW, 1)

    with django_assert_max_num_queries(10):
        assert current(study, at=NOW + minutes(1)).made_at == NOW

    judge(pair, -1)
    assert current(study, at=NOW + minutes(2)).n_judgments == 2
    QualityVerdict.objects.filter(judgment__lease__pair=pair).update(verdict="fail")
    assert current(study, at=NOW + minutes(3)).n_judgments == 0


def test_an_exclusion_changes_a_small_studys_numbers_at_once_and_lifting_it_brings_them_back():
    study = make_study()
    pair = make_pair(study)
    judge(pair, 3)
    odd = judge(pair, -3)
    before = current(study).payload

    exclusion = Exclusion.objects.create(study=study, rater=odd.lease.annotator, reason="odd")
    without = current(study).payload
    assert without["dimensions"][-1]["rows"][0]["cmos"] == 3.0
    assert [row["is_excluded"] for row in without["raters"]] == [False, True]
    assert without["left_out"] == {"in_time": 2, "withdrawn": 0, "excluded": 1, "failed": 0}

    exclusion.lifted_at = NOW
    exclusion.save()
    assert current(study).payload == before


def test_a_large_study_waits_for_its_job_and_then_shows_what_the_job_kept(large):
    study = make_study()
    judge(make_pair(study), 2)
    assert current(study) is None
    assert keeping.is_due(fresh(study), at=NOW)

    job = keeping.request_update(study, by=None)
    assert keeping.request_update(study, by=None) == job
    assert fresh(study).job == job
    assert not keeping.is_due(fresh(study), at=NOW)
    run(job)

    assert current(study).n_judgments == 1
    assert (fresh(study).n_new, fresh(study).made_at, fresh(study).job) == (0, NOW, None)


def test_what_an_older_version_kept_is_as_if_it_was_not_there_and_is_due(large):
    study = make_study()
    judge(make_pair(study), 2)
    StudyStatistics.objects.create(study=study, payload={"form": 1}, made_from="x", n_judgments=5, newest_at=NOW)

    assert current(study) is None
    assert keeping.is_due(keeping.freshness_of(study, current(study)), at=NOW)


def test_a_large_study_is_computed_anew_when_enough_came_since_but_not_at_once_again(large):
    study = make_study()
    judge(make_pair(study))
    run(keeping.request_update(study, by=None))
    for _ in range(keeping.ENOUGH_JUDGMENTS):
        judge(make_pair(study), at=NOW + minutes(1))

    assert fresh(study).n_new == keeping.ENOUGH_JUDGMENTS
    assert not keeping.is_due(fresh(study), at=NOW + keeping.REST)
    assert keeping.is_due(fresh(study), at=NOW + minutes(2))


def test_who_is_excluded_while_the_job_runs_is_left_out_by_another_update_after_it(large, monkeypatch):
    study = make_study()
    pair = make_pair(study)
    judge(pair, 3)
    odd = judge(pair, -3).lease.annotator
    job = keeping.request_update(study, by=None)

    def exclude_meanwhile(*_asked):
        exclusions.exclude(study, odd, reason="odd", by=study.created_by, at=NOW)
        return 0, 0

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(keeping, "measure_missing_pitch", exclude_meanwhile)
        run(job)
    assert (current(study).n_judgments, current(study).payload["raters_left_out"]) == (2, [])
    assert fresh(study).is_outdated

    run(Job.objects.get(state="queued"))

    assert (current(study).n_judgments, current(study).payload["raters_left_out"]) == (1, [odd.pk])
    assert (fresh(study).is_outdated, fresh(study).job) == (False, None)


def test_who_is_excluded_while_the_judgments_are_read_leads_to_another_update(large, monkeypatch):
    study = make_study()
    odd = judge(make_pair(study), -3).lease.annotator
    job = keeping.request_update(study, by=None)
    read = material.read_marks

    def read_and_exclude(of_study):
        exclusions.exclude(study, odd, reason="odd", by=study.created_by, at=NOW)
        return read(of_study)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(material, "read_marks", read_and_exclude)
        run(job)

    assert [job.state for job in Job.objects.order_by("created_at")] == ["succeeded", "queued"]


def test_too_few_new_judgments_wait(large):
    study = make_study()
    judge(make_pair(study))
    run(keeping.request_update(study, by=None))
    judge(make_pair(study), at=NOW + minutes(1))

    assert fresh(study).n_new == 1
    assert not keeping.is_due(fresh(study), at=NOW + minutes(60))


def test_late_ones_and_checks_are_not_new(large):
    study = make_study()
    judge(make_pair(study))
    run(keeping.request_update(study, by=None))
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3, at=NOW + minutes(1))

    assert fresh(study).n_new == 0


def test_an_exclusion_makes_a_large_studys_numbers_outdated_at_once(large):
    study = make_study()
    judgment = judge(make_pair(study))
    run(keeping.request_update(study, by=None))
    Exclusion.objects.create(study=study, rater=judgment.lease.annotator, reason="odd")

    assert fresh(study).is_outdated
    assert keeping.is_due(fresh(study), at=NOW)
    run(keeping.request_update(study, by=None))
    assert (fresh(study).is_outdated, current(study).n_judgments) == (False, 0)


def test_excluding_asks_for_the_update_of_a_large_study_and_empties_what_was_kept_of_a_small_one(monkeypatch):
    study = make_study()
    judge(make_pair(study))
    current(study)

    keeping.follow_change(study)
    assert StudyStatistics.objects.get().made_from == ""
    assert not Job.objects.exists()

    monkeypatch.setattr(keeping, "SMALL_SCORES", 0)
    keeping.follow_change(study)
    assert Job.objects.get().arguments == {"study": study.pk}


def test_the_scheduler_asks_for_running_studies_that_are_due_and_for_no_others():
    running, paused, still = make_study(), make_study(), make_study()
    judge(make_pair(running))
    judge(make_pair(paused))
    Study.objects.filter(pk=paused.pk).update(state="paused")

    assert keeping.update_due_studies(at=NOW) == 1
    assert keeping.update_due_studies(at=NOW) == 0
    assert [job.arguments["study"] for job in Job.objects.all()] == [running.pk]
    assert still.statistics.count() == 0


def test_an_update_replaces_the_rows_of_earlier_automatic_ones_and_keeps_a_persons(large):
    study = make_study()
    judge(make_pair(study))
    first, second = run(keeping.request_update(study, by=None)), run(keeping.request_update(study, by=None))
    assert list(Job.objects.all()) == [second]
    assert first.pk != second.pk

    asked = keeping.request_update(study, by=make_study().created_by)
    assert run(asked).result == {"judgments": 1, "strata": 1, "measured": 0}


def test_strata_by_language_tag_and_group_have_numbers_of_their_own():
    study = make_study()
    english, japanese = make_pair(study), make_pair(study)
    Scenario.objects.filter(pk=japanese.scenario_id).update(language="ja", tags=["comfort"])
    native = judge(english, 1).lease.annotator
    judge(japanese, -2)
    Membership.objects.filter(study=study, user=native).update(group="native")

    payload = current(study).payload

    assert [(each["key"], each["n_judgments"]) for each in payload["strata"]] == [
        ("language:en", 1),
        ("language:ja", 1),
        ("tag:comfort", 1),
        ("group:native", 1),
    ]
    assert current(study, "language:ja").payload["n"]["judgments"] == 1
    assert current(study, "group:native").payload["raters"][0]["rater"] == native.pk
    assert current(study, "language:xx") is None


def test_what_all_judgments_share_is_no_stratum():
    study = make_study()
    judge(make_pair(study))

    assert current(study).payload["strata"] == []


@pytest.mark.parametrize(("length", "has_board"), [(196, True), (197, False)])  # "tag:" and this many: 200 or more
def test_a_tag_too_long_for_the_key_of_a_stratum_has_no_board(length, has_board):
    study = make_study()
    pairs = [make_pair(study), make_pair(study)]
    Scenario.objects.filter(pk=pairs[0].scenario_id).update(tags=["x" * length])
    for pair in pairs:
        judge(pair)

    keys = [each["key"] for each in current(study).payload["strata"]]

    assert keys == ["tag:" + "x" * length] * has_board
    assert (current(study, "tag:" + "x" * length) is not None) == has_board


def test_a_stratum_that_is_no_more_is_forgotten(large):
    study = make_study()
    pairs = [make_pair(study), make_pair(study)]
    Scenario.objects.filter(pk=pairs[0].scenario_id).update(language="ja")
    for pair in pairs:
        judge(pair)
    run(keeping.request_update(study, by=None))
    assert set(study.statistics.values_list("stratum", flat=True)) == {"", "language:en", "language:ja"}

    Scenario.objects.update(language="en")
    run(keeping.request_update(study, by=None))

    assert set(study.statistics.values_list("stratum", flat=True)) == {""}


def test_the_job_pauses_a_study_whose_intervals_are_narrow_enough():
    study = make_simulated_study(n_scenarios=12, half_width_enough=3.0, raters_at_least=5)
    simulate_judgments(study, n_raters=8, n_judgments=108, seed=2, clock=lambda: NOW)

    run(keeping.request_update(study, by=None))

    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("paused", "half_width_enough")


def test_a_small_study_pauses_likewise_when_somebody_looks_and_looking_again_changes_nothing():
    study = make_simulated_study(n_scenarios=12, half_width_enough=3.0, raters_at_least=5)
    simulate_judgments(study, n_raters=8, n_judgments=108, seed=2, clock=lambda: NOW)

    current(study)
    keeping.follow_change(study)
    current(study, at=NOW + minutes(1))

    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("paused", "half_width_enough")
    assert AuditEntry.objects.filter(action="study.paused").count() == 1


def test_a_part_of_the_judgments_stops_no_study():
    study = make_simulated_study(n_scenarios=12, half_width_enough=3.0, raters_at_least=5)
    simulate_judgments(study, n_raters=8, n_judgments=108, seed=2, clock=lambda: NOW)
    Scenario.objects.filter(pk=study.pairs.first().scenario_id).update(language="ja")

    assert current(study, "language:en").n_judgments > 50

    study.refresh_from_db()
    assert study.state == "running"


def test_an_undone_judgment_is_no_longer_in_the_numbers():
    study = make_study()
    judgment = judge(make_pair(study))
    assert current(study).n_judgments == 1

    leases.undo(judgment.lease, at=NOW + minutes(1))

    assert current(study).n_judgments == 0

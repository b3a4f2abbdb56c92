"""Counts of what is missing: sounds not measured, checks that could not run, answers without a number."""

import pytest

from annotation.models import Judgment, Pair, QualityVerdict
from annotation.services.statistics import keeping
from annotation.services.statistics.material import read_material
from annotation.services.statistics.sounds import measure_missing_pitch
from earshot.jobs import services as jobs
from tests.annotation.judged import judge
from tests.factories import NOW, make_pair, make_study

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def payload(study):
    return keeping.current_statistics(study, at=NOW).payload


def test_dialogues_whose_turn_to_be_measured_has_not_come_wait_for_the_next_job(monkeypatch):
    study = make_study()
    judge(make_pair(study))
    material = read_material(study)
    assert measure_missing_pitch(material.voted_on, lambda done, total: None, most_seconds=-1) == (0, 0)
    monkeypatch.setattr(keeping, "measure_missing_pitch", lambda pairs, report: (0, 1))

    job = keeping.request_update(study, by=None)
    with jobs.running(job.pk, job.fence) as held:
        keeping.run_update(held, at=NOW)

    assert keeping.freshness_of(study, study.statistics.get()).has_unmeasured


def test_checks_that_could_not_run_are_counted_among_the_same_judgments_as_all():
    study = make_study()
    for kind, is_simulated in ((Pair.Kind.REGULAR, False), (Pair.Kind.GOLD, False), (Pair.Kind.REGULAR, True)):
        judgment = judge(make_pair(study, kind=kind, expected_value=3 if kind == Pair.Kind.GOLD else None), 1)
        Judgment.objects.filter(pk=judgment.pk).update(is_simulated=is_simulated)
        QualityVerdict.objects.filter(judgment=judgment).update(
            verdict="unknown", checks={"listening": ["unknown", "not recorded"]}
        )

    found = payload(study)

    assert (found["n_by_people"], found["unknown"]) == (1, {"listening": 1})


def test_answers_that_are_no_number_are_counted_by_kind():
    study = make_study()
    judgment = judge(make_pair(study), 1)
    for key, kind in (("prosody", "both_bad"), ("overall", "cannot_tell")):
        judgment.scores.filter(dimension__key=key).update(kind=kind, value=None)

    found = {each["key"]: each["not_scored"] for each in payload(study)["dimensions"]}

    assert found["prosody"] == {"both_bad": 1, "cannot_tell": 0}
    assert found["overall"] == {"both_bad": 0, "cannot_tell": 1}

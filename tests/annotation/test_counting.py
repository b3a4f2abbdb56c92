"""Which judgments count: one rule, in one place, for boards, progress and new snapshots."""

import pytest

from annotation.models import Consent, Exclusion, Judgment, Pair, QualityVerdict, Study
from annotation.queries import studies
from annotation.queries.counting import counting_judgments, counting_of_each, raters_left_out
from annotation.services import adjudication, boards, judgments
from annotation.services.qualification import consent
from annotation.services.snapshots import default_filter, rater_pseudonyms
from annotation.services.statistics import keeping
from tests.annotation.judged import judge
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def exclude(judgment):
    study, rater = judgment.lease.study, judgment.lease.annotator
    return Exclusion.objects.create(study=study, rater=rater, reason="clicks at random")


def counted(study):
    by_rule, at_once = counting_judgments(study), counting_of_each().filter(lease__study=study)
    assert set(by_rule) == set(at_once)
    return set(by_rule)


def test_a_submitted_judgment_on_a_regular_pair_counts():
    judgment = judge(make_pair())

    assert counted(judgment.lease.study) == {judgment}


def test_a_draft_a_late_one_a_check_and_another_studys_do_not_count():
    study = make_study()
    answer(make_lease(make_pair(study)))
    late = make_lease(make_pair(study))
    answer(late)
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3)
    judge(make_pair(make_study()))
    judgments.submit(late, at=late.expires_at + minutes(1))

    assert Judgment.objects.filter(lease__study=study).count() == 3
    assert counted(study) == set()


def test_a_judgment_made_to_adjudicate_does_not_count():
    judgment = judge(make_pair())
    judgment.lease.purpose = "adjudication"
    judgment.lease.save()

    assert counted(judgment.lease.study) == set()


def test_what_quality_control_failed_does_not_count_and_unknown_does():
    study = make_study()
    failed, unknown = judge(make_pair(study)), judge(make_pair(study))
    QualityVerdict.objects.filter(judgment=failed).update(verdict="fail")
    QualityVerdict.objects.filter(judgment=unknown).update(verdict="unknown")

    assert counted(study) == {unknown}


def test_an_excluded_raters_judgments_count_nowhere_until_the_exclusion_is_lifted():
    study = make_study()
    kept, gone = judge(make_pair(study), 1), judge(make_pair(study), -3)
    exclusion = exclude(gone)

    assert counted(study) == {kept}
    assert raters_left_out(study) == {gone.lease.annotator_id}
    assert boards.study_board(study).n_judgments == 1

    exclusion.lifted_at = NOW
    exclusion.save()
    assert counted(study) == {kept, gone}
    assert boards.study_board(study).n_judgments == 2


def test_an_exclusion_holds_in_its_own_study_alone():
    rater = make_user()
    here, there = judge(make_pair(), 1, rater), judge(make_pair(), 1, rater)
    exclude(here)

    assert counted(here.lease.study) == set()
    assert counted(there.lease.study) == {there}


def test_whoever_took_the_consent_back_does_not_count_until_they_agree_again():
    judgment = judge(make_pair())
    study, rater = judgment.lease.study, judgment.lease.annotator
    consent.give_consent(rater, study, at=NOW)
    consent.withdraw_consent(rater, study, at=NOW)
    assert counted(study) == set()

    consent.give_consent(rater, study, at=NOW + minutes(1))

    assert counted(study) == {judgment}
    assert Consent.objects.count() == 2


def test_a_new_snapshot_leaves_excluded_raters_out_by_default():
    judgment = judge(make_pair())
    study = judgment.lease.study
    join(study, make_user())
    assert default_filter(study).excluded_raters == ()

    exclude(judgment)

    assert default_filter(study).excluded_raters == tuple(rater_pseudonyms(study))


def test_a_large_studys_progress_is_what_was_kept_and_what_came_since(monkeypatch):
    monkeypatch.setattr(studies, "COUNTED_EACH_TIME", 0)
    study = make_study()
    judge(make_pair(study))
    keeping.current_statistics(study, at=NOW)
    judge(make_pair(study), at=NOW + minutes(1))
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3, at=NOW + minutes(1))

    row = studies.with_progress(Study.objects.filter(pk=study.pk)).get()

    assert (row.n_pairs, row.n_counted, row.n_wanted) == (2, 2, 6)
    assert row.last_vote_at == NOW + minutes(1)


def test_progress_counts_what_counts_and_not_the_checks():
    study = make_study()
    judge(make_pair(study))
    gone = judge(make_pair(study))
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3)
    make_lease(make_pair(study))

    row = studies.with_progress(Study.objects.filter(pk=study.pk)).get()
    assert (row.n_pairs, row.n_counted, row.n_wanted) == (3, 2, 9)

    exclude(gone)
    assert studies.with_progress(Study.objects.filter(pk=study.pk)).get().n_counted == 1


def test_checks_and_adjudications_that_are_lent_are_not_among_what_is_wanted():
    study = make_study(overlap=3)
    disputed = make_pair(study)
    make_lease(make_pair(study, kind="gold", expected_value=3, seats_left=100))
    row = adjudication.request(disputed, reason="close", by=make_user("researcher"), at=NOW)
    adjudication.begin(row, join(study), at=NOW)
    make_lease(disputed)

    assert studies.with_progress(Study.objects.filter(pk=study.pk)).get().n_wanted == 3

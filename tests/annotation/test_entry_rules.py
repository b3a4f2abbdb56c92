"""What lets somebody judge, and what ends it: the rows of "The listener" in the protocol, on the server."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from annotation.models import Attempt, Consent, Judgment, Lease, Step
from annotation.queries.listening import can_submit_late
from annotation.services import judgments, leases
from annotation.services.qualification import attempts, consent
from annotation.services.qualification.rules import DEVICE_STEPS, RULES
from annotation.services.qualification.standing import standing_of
from annotation.services.qualification.trials import trials_of
from earshot.accounts.models import AuditEntry
from tests.annotation.entering import (
    make_consenting,
    make_entry_study,
    make_qualified,
    passed,
    right_answer,
    take,
    wrong_answer,
)
from tests.factories import NOW, answer, join, make_pair, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]
HOURS, DAYS = timedelta(hours=1), timedelta(days=1)


def refusal(user, study, *, at=NOW) -> str:
    with pytest.raises(ValidationError) as caught:
        leases.next_lease(user, study, at=at)
    return " ".join(caught.value.messages)


def states(user, study, *, at=NOW) -> dict[str, str]:
    return {each.step.value: each.state for each in standing_of(user, study, at=at).steps}


# --- The gate ---------------------------------------------------------------------------------------------------------


def test_a_study_that_asks_for_nothing_lends_at_once():
    study = make_entry_study("none")

    assert leases.next_lease(join(study), study, at=NOW) is not None


def test_without_consent_no_pair_is_lent_and_the_sentence_says_so():
    study = make_entry_study(title="Tea")

    assert refusal(join(study), study) == "Study 'Tea' asks for your consent before its first pair."
    assert not Lease.objects.exists()


def test_with_consent_alone_the_first_missing_step_is_named():
    study = make_entry_study(title="Tea")

    assert refusal(make_consenting(study), study) == "Before the next pair of 'Tea': Left and right."


def test_a_study_that_asks_for_the_device_alone_asks_for_no_training():
    study = make_entry_study("device")
    user = make_qualified(study)

    assert list(states(user, study)) == [step.value for step in DEVICE_STEPS]
    assert leases.next_lease(user, study, at=NOW) is not None


@pytest.mark.parametrize("missing", list(Step))
def test_each_missing_step_keeps_the_pairs_back(missing):
    study = make_entry_study(title="Tea")
    user = make_qualified(study)
    Attempt.objects.filter(step=missing).delete()

    assert refusal(user, study) == f"Before the next pair of 'Tea': {missing.label}."


def test_who_passed_everything_is_lent_a_pair():
    study = make_entry_study()

    assert leases.next_lease(make_qualified(study), study, at=NOW) is not None


def test_simulated_raters_are_never_asked():
    study = make_entry_study(is_simulated=True)
    rater = join(study, make_user(is_simulated=True))

    assert leases.next_lease(rater, study, at=NOW) is not None


def test_the_next_pair_is_not_reserved_ahead_for_whom_something_is_missing():
    study = make_entry_study(n_pairs=2)
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW), at=NOW)
    Attempt.objects.filter(step=Step.GOLD).delete()

    with pytest.raises(ValidationError, match="Test pairs"):
        leases.reserve_ahead(lease, at=NOW)


def test_another_persons_steps_count_for_nobody_else():
    study = make_entry_study()
    make_qualified(study)

    assert set(states(make_consenting(study), study).values()) == {"missing"}


# --- How long it holds ------------------------------------------------------------------------------------------------


def test_the_device_check_holds_for_twelve_hours():
    study = make_entry_study()
    user = make_qualified(study)

    assert standing_of(user, study, at=NOW + 12 * HOURS - minutes(1)).may_judge
    late = states(user, study, at=NOW + 12 * HOURS)
    assert [step for step, state in late.items() if state != "passed"] == ["channels", "headphones", "level"]


def test_a_new_sign_in_is_a_new_session_and_checks_the_device_again():
    study = make_entry_study()
    user = make_qualified(study)
    user.last_login = NOW + minutes(5)
    user.save()

    again = states(user, study, at=NOW + minutes(6))

    assert [step for step, state in again.items() if state != "passed"] == ["channels", "headphones", "level"]


def test_the_device_check_never_ends_inside_a_pair():
    study = make_entry_study(n_pairs=2)
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW), at=NOW)
    answer(lease)
    later = NOW + 13 * HOURS
    Lease.objects.filter(pk=lease.pk).update(expires_at=later + HOURS)

    assert leases.next_lease(user, study, at=later) == lease
    judgments.submit(lease, at=later)
    assert "Left and right" in refusal(user, study, at=later)


@pytest.mark.parametrize("step", [Step.DIGITS, Step.DIFFERENCES, Step.GOLD])
def test_hearing_and_test_pairs_hold_for_thirty_days(step):
    study = make_entry_study()
    user = make_qualified(study)

    assert states(user, study, at=NOW + 30 * DAYS - minutes(1))[step] == "passed"
    assert states(user, study, at=NOW + 30 * DAYS)[step] == "missing"


def test_the_training_is_refreshed_after_a_week_away():
    study = make_entry_study()
    user = make_qualified(study)

    assert states(user, study, at=NOW + 7 * DAYS - minutes(1))["training"] == "passed"
    assert states(user, study, at=NOW + 7 * DAYS)["training"] == "missing"


def test_who_judged_within_the_week_needs_no_refresher():
    study = make_entry_study()
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW + HOURS), at=NOW + HOURS)
    answer(lease)
    judgments.submit(lease, at=NOW + 2 * HOURS)

    assert states(user, study, at=NOW + 7 * DAYS + HOURS)["training"] == "passed"
    assert states(user, study, at=NOW + 7 * DAYS + 2 * HOURS)["training"] == "missing"


def test_training_in_one_language_says_nothing_of_another():
    english, japanese = make_entry_study(), make_entry_study(language="ja")
    user = make_qualified(english)
    make_consenting(japanese, user=user)

    assert [step for step, state in states(user, japanese).items() if state != "passed"] == [
        "digits",
        "training",
        "gold",
    ]


def test_what_was_passed_holds_in_every_study_of_the_language():
    first, second = make_entry_study(), make_entry_study()
    user = make_qualified(first)
    make_consenting(second, user=user)

    assert standing_of(user, second, at=NOW).may_judge


# --- Taking a step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "needed", "total"),
    [
        ("channels", 4, 5),
        ("headphones", 5, 6),
        ("level", 1, 1),
        ("digits", 3, 5),
        ("differences", 2, 4),
        ("gold", 3, 4),
    ],
)
def test_a_step_is_passed_with_so_many_right_and_failed_with_one_less(step, needed, total):
    study = make_entry_study()

    def taken(n_right: int) -> Attempt:
        user = make_qualified(study)
        Attempt.objects.filter(user=user, step=step).delete()
        return take(attempts.begin(user, study, Step(step), at=NOW), n_right=n_right)

    enough, too_few = taken(needed), taken(needed - 1)

    assert (enough.n_trials, enough.n_right, enough.passed, enough.ended_at) == (total, needed, True, NOW)
    assert (too_few.n_right, too_few.passed) == (needed - 1, False)


def test_the_training_is_to_learn_by_and_nobody_fails_it():
    study = make_entry_study()
    user = make_qualified(study)
    Attempt.objects.filter(step=Step.TRAINING).delete()

    attempt = take(attempts.begin(user, study, Step.TRAINING, at=NOW), n_right=0)

    assert (attempt.n_trials, attempt.n_right, attempt.passed) == (3, 0, True)


@pytest.mark.parametrize("language", ["en", "ja", "zh-hans"])
def test_every_step_has_as_many_trials_as_its_rule_says(language):
    study = make_entry_study(language=language)
    user = make_consenting(study)

    for step in Step:
        attempt = passed(user, study, step)
        assert len(trials_of(attempt)) == RULES[step].n_trials, step


def test_an_answer_counts_once_however_often_it_is_sent():
    study = make_entry_study()
    attempt = attempts.begin(make_consenting(study), study, Step.CHANNELS, at=NOW)
    wrong, right = wrong_answer(attempt, 0), right_answer(attempt, 0)

    first = attempts.answer(attempt, 0, wrong, at=NOW)
    again = attempts.answer(attempt, 0, right, at=NOW)

    attempt.refresh_from_db()
    assert (again.pk, again.answer) == (first.pk, wrong)
    assert (attempt.answers.count(), attempt.n_right) == (1, 0)


@pytest.mark.parametrize("number", [1, 5, 99])
def test_a_trial_whose_turn_has_not_come_takes_no_answer(number):
    study = make_entry_study()
    attempt = attempts.begin(make_consenting(study), study, Step.CHANNELS, at=NOW)

    with pytest.raises(ValidationError, match="not the one to answer now"):
        attempts.answer(attempt, number, "left", at=NOW)

    assert not attempt.answers.exists()


def test_an_ended_attempt_takes_no_answer():
    study = make_entry_study()
    attempt = passed(make_consenting(study), study, Step.CHANNELS)

    with pytest.raises(ValidationError, match="not the one to answer now"):
        attempts.answer(attempt, 0, "left", at=NOW)


@pytest.mark.parametrize("given", ["", "behind", "LEFT"])
def test_what_is_not_offered_is_no_answer(given):
    study = make_entry_study()
    attempt = attempts.begin(make_consenting(study), study, Step.CHANNELS, at=NOW)

    with pytest.raises(ValidationError, match="one of the answers that are offered"):
        attempts.answer(attempt, 0, given, at=NOW)


def test_beginning_again_goes_on_with_the_attempt_that_is_open():
    study = make_entry_study()
    user = make_consenting(study)
    first = attempts.begin(user, study, Step.CHANNELS, at=NOW)
    attempts.answer(first, 0, "left", at=NOW)

    again = attempts.begin(user, study, Step.CHANNELS, at=NOW + minutes(30))

    assert (again, again.answers.count(), Attempt.objects.count()) == (first, 1, 1)


def test_a_step_begun_on_the_way_into_one_study_is_gone_on_with_on_the_way_into_another():
    """Its pages lead back to the study that is being entered, not to one that the person may have left."""
    study, other = make_entry_study(), make_entry_study()
    user = make_consenting(study)
    make_consenting(other, user=user)
    begun = attempts.begin(user, study, Step.CHANNELS, at=NOW)

    gone_on_with = attempts.begin(user, other, Step.CHANNELS, at=NOW + minutes(1))

    assert (gone_on_with.pk, gone_on_with.seed) == (begun.pk, begun.seed)
    assert Attempt.objects.get().study == other


def test_without_consent_no_step_begins():
    study = make_entry_study()

    with pytest.raises(ValidationError, match="asks for your consent"):
        attempts.begin(join(study), study, Step.CHANNELS, at=NOW)


def test_steps_come_one_after_the_other():
    study = make_entry_study()

    with pytest.raises(ValidationError, match="One step after the other: Left and right comes first"):
        attempts.begin(make_consenting(study), study, Step.GOLD, at=NOW)


def test_a_passed_step_is_not_taken_again_while_it_holds():
    study = make_entry_study()

    with pytest.raises(ValidationError, match="passed already"):
        attempts.begin(make_qualified(study), study, Step.GOLD, at=NOW + minutes(1))


def test_a_step_that_the_study_does_not_ask_for_cannot_begin():
    study = make_entry_study("device")

    with pytest.raises(ValidationError, match="does not ask for this step"):
        attempts.begin(make_consenting(study), study, Step.GOLD, at=NOW)


def test_after_a_failed_check_one_waits_ten_minutes_and_hears_other_sounds():
    study = make_entry_study()
    user = make_consenting(study)
    failed = take(attempts.begin(user, study, Step.CHANNELS, at=NOW), n_right=0)

    with pytest.raises(ValidationError, match=r"Left and right can be tried again after 2026-11-23 12:10 UTC\."):
        attempts.begin(user, study, Step.CHANNELS, at=NOW + minutes(9))
    second = attempts.begin(user, study, Step.CHANNELS, at=NOW + minutes(10))

    assert second.pk != failed.pk
    assert second.seed != failed.seed


def test_while_one_check_of_hearing_waits_the_other_can_be_taken_and_the_training_not():
    study = make_entry_study()
    user = make_consenting(study)
    for step in (Step.CHANNELS, Step.HEADPHONES, Step.LEVEL):
        passed(user, study, step)
    take(attempts.begin(user, study, Step.DIGITS, at=NOW), n_right=0)

    assert take(attempts.begin(user, study, Step.DIFFERENCES, at=NOW + minutes(1)), n_right=4).passed
    standing = standing_of(user, study, at=NOW + minutes(2))
    assert standing.next_step is not None
    assert (standing.next_step.step, standing.next_step.state) == (Step.DIGITS, "wait")
    with pytest.raises(ValidationError, match="One step after the other: Digits"):
        attempts.begin(user, study, Step.TRAINING, at=NOW + minutes(2))


def failed_gold(user, study, *, at):
    return passed(user, study, Step.GOLD, at=at, is_passed=False, n_right=2)


def test_after_failed_test_pairs_one_waits_a_day():
    study = make_entry_study()
    user = make_qualified(study)
    Attempt.objects.filter(step=Step.GOLD).delete()
    failed_gold(user, study, at=NOW)

    def gold(at):
        return next(each for each in standing_of(user, study, at=at).steps if each.step == Step.GOLD)

    assert (gold(NOW).state, gold(NOW).until) == ("wait", NOW + 24 * HOURS)
    assert gold(NOW + 24 * HOURS).state == "missing"


def test_the_test_pairs_are_tried_three_times_in_thirty_days_at_most():
    study = make_entry_study()
    user = make_qualified(study)
    Attempt.objects.filter(step=Step.GOLD).delete()
    for day in (0, 2, 4):
        failed_gold(user, study, at=NOW + day * DAYS)

    def gold(at):
        return next(each for each in standing_of(user, study, at=at).steps if each.step == Step.GOLD)

    assert (gold(NOW + 6 * DAYS).state, gold(NOW + 6 * DAYS).until) == ("wait", NOW + 30 * DAYS)
    assert gold(NOW + 30 * DAYS).state == "missing"


# --- Consent ----------------------------------------------------------------------------------------------------------


def test_consent_keeps_the_words_and_is_the_same_given_twice():
    study = make_entry_study(consent_text="We keep your answers.")
    user = join(study)

    first = consent.give_consent(user, study, at=NOW)
    again = consent.give_consent(user, study, at=NOW + HOURS)

    assert (again.pk, again.text, again.given_at) == (first.pk, "We keep your answers.", NOW)
    assert Consent.objects.count() == 1


def test_the_studys_text_is_read_in_the_readers_language_and_agreed_to_once():
    study = make_entry_study(consent_text="We keep it.", translations={"ja": {"consent_text": "保存します。"}})
    user = join(study)

    with translation.override("ja"):
        given = consent.give_consent(user, study, at=NOW)
    with translation.override("en"):
        again = consent.give_consent(user, study, at=NOW)

    assert (given.text, again.pk) == ("保存します。", given.pk)


def test_another_text_asks_for_consent_again():
    study = make_entry_study(title="Tea")
    user = make_qualified(study)
    study.consent_text = "We keep your answers for ten years."
    study.save()

    assert refusal(user, study) == "Study 'Tea' asks for your consent before its first pair."
    consent.give_consent(user, study, at=NOW)
    assert leases.next_lease(user, study, at=NOW) is not None


def test_withdrawing_hands_the_pair_back_and_lends_no_other():
    study = make_entry_study(title="Tea", n_pairs=2)
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW), at=NOW)
    lease.pair.refresh_from_db()
    seats = lease.pair.seats_left
    answer(lease)

    assert consent.withdraw_consent(user, study, at=NOW + minutes(1))

    lease.refresh_from_db()
    lease.pair.refresh_from_db()
    assert (lease.state, lease.pair.seats_left) == ("expired", seats + 1)
    assert "You withdrew your consent to study 'Tea'" in refusal(user, study)
    with pytest.raises(ValidationError, match="it takes no judgment of yours"):
        judgments.submit(lease, at=NOW + minutes(2))
    assert leases.open_lease(lease, at=NOW + minutes(2)).state == "expired"
    entry = AuditEntry.objects.get(action="study.consent_withdrawn")
    assert (entry.user, entry.subject) == (user, "Tea")


def test_who_withdrew_takes_no_judgment_back_into_a_draft_that_could_never_be_submitted():
    study = make_entry_study(title="Tea")
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW), at=NOW)
    answer(lease)
    judgments.submit(lease, at=NOW)
    consent.withdraw_consent(user, study, at=NOW + minutes(1))

    with pytest.raises(ValidationError, match="You withdrew your consent to study 'Tea'"):
        leases.undo(lease, at=NOW + minutes(2))

    lease.refresh_from_db()
    assert lease.state == "submitted"


def test_who_withdrew_is_offered_no_late_submit():
    study = make_entry_study()
    user = make_qualified(study)
    lease = leases.open_lease(leases.next_lease(user, study, at=NOW), at=NOW)
    answer(lease)
    leases.expire_overdue(at=NOW + HOURS)
    lease.refresh_from_db()
    draft = Judgment.objects.get(lease=lease)
    assert can_submit_late(lease, draft)

    consent.withdraw_consent(user, study, at=NOW + HOURS)

    assert not can_submit_late(lease, draft)


def test_withdrawing_twice_is_the_same_as_once():
    study = make_entry_study()
    user = make_consenting(study)

    assert consent.withdraw_consent(user, study, at=NOW)
    assert not consent.withdraw_consent(user, study, at=NOW + HOURS)
    assert Consent.objects.get().withdrawn_at == NOW


def test_who_agrees_again_goes_on_with_what_was_passed():
    study = make_entry_study()
    user = make_qualified(study)
    consent.withdraw_consent(user, study, at=NOW)

    consent.give_consent(user, study, at=NOW + minutes(1))

    assert leases.next_lease(user, study, at=NOW + minutes(1)) is not None


def test_the_agreed_number_of_pairs_is_lent_to_a_crowd_worker_and_no_more():
    from annotation.services import invitations

    study = make_entry_study("none", n_pairs=3, title="Tea", pairs_per_participant=1)
    link = invitations.make_invitation(
        study, by=make_user("researcher"), note="crowd", max_uses=9, expires_at=NOW + DAYS
    )
    worker = invitations.join_as_participant(link, "p1", at=NOW)
    lease = leases.open_lease(leases.next_lease(worker, study, at=NOW), at=NOW)

    with pytest.raises(ValidationError, match="all the pairs of 'Tea' that were agreed"):
        leases.reserve_ahead(lease, at=NOW)
    assert not standing_of(worker, study, at=NOW).is_done
    answer(lease)
    judgments.submit(lease, at=NOW)
    assert standing_of(worker, study, at=NOW).is_done
    assert "that were agreed with you. Thank you." in refusal(worker, study)
    assert leases.next_lease(join(study), study, at=NOW) is not None
    assert make_pair(study) is not None


@pytest.mark.parametrize("rule", [{"judgments_at_most": 1}, {"pairs_per_rater": 1}])
def test_a_crowd_worker_gets_the_code_when_a_budget_or_a_quota_leaves_nothing(rule):
    from annotation.services import invitations
    from annotation.services.qualification.leaving import leaving_of

    study = make_entry_study("none", n_pairs=3, **rule)
    link = invitations.make_invitation(
        study, by=make_user("researcher"), note="crowd", max_uses=9, expires_at=NOW + DAYS
    )
    worker = invitations.join_as_participant(link, "p1", at=NOW)
    lease = leases.open_lease(leases.next_lease(worker, study, at=NOW), at=NOW)
    assert leaving_of(worker, {study.pk: standing_of(worker, study, at=NOW)}) == {}

    answer(lease)
    judgments.submit(lease, at=NOW)

    study.refresh_from_db()
    assert leaving_of(worker, {study.pk: standing_of(worker, study, at=NOW)}) == {study.pk: True}


def test_what_is_open_when_the_study_stops_keeps_the_code_until_it_is_judged():
    from annotation.services import invitations
    from annotation.services.qualification.leaving import leaving_of

    study = make_entry_study("none", n_pairs=3)
    link = invitations.make_invitation(
        study, by=make_user("researcher"), note="crowd", max_uses=9, expires_at=NOW + DAYS
    )
    worker = invitations.join_as_participant(link, "p1", at=NOW)
    lease = leases.open_lease(leases.next_lease(worker, study, at=NOW), at=NOW)
    answer(lease)
    judgments.submit(lease, at=NOW)
    leases.open_lease(leases.next_lease(worker, study, at=NOW), at=NOW)
    type(study).objects.filter(pk=study.pk).update(state="paused", stopped_because="half_width_enough")
    study.refresh_from_db()

    assert leaving_of(worker, {study.pk: standing_of(worker, study, at=NOW)}) == {}

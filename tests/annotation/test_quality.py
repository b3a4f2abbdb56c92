"""Verdicts: what each check makes of an answer, why it says so in every language, and what it never does."""

import pytest
from django.utils import timezone, translation

from annotation.models import Judgment, Lease, ListeningLog
from annotation.queries.counting import counting_judgments
from annotation.queries.home import agreement_with_gold
from annotation.services import checks, judgments, leases, quality
from annotation.services.quality import lines_of, sentence_of
from annotation.services.quality.reasons import SENTENCES, english_of
from tests.annotation.checked import judged, plain_check
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def verdict_of(judgment: Judgment, check: str) -> str:
    return judgment.quality.checks[check][0]


def reason_of(judgment: Judgment, check: str) -> str:
    return sentence_of(judgment.quality.checks[check][1])


# --- Gold -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "value", "verdict"),
    [
        (3, 3, "pass"),
        (3, 2, "pass"),
        (3, 1, "fail"),
        (3, -3, "fail"),
        (-3, -2, "pass"),
        (-2, -1, "pass"),
        (-2, 0, "fail"),
    ],
)
def test_gold_is_right_within_one_step(expected, value, verdict):
    judgment = judged(plain_check(make_study(), expected=expected), value=value)

    assert verdict_of(judgment, "gold") == verdict


@pytest.mark.parametrize("side_left", ["a", "b"])
def test_gold_is_right_or_wrong_whichever_side_was_left(side_left):
    gold = plain_check(make_study(), expected=3)
    lease = make_lease(gold)
    Lease.objects.filter(pk=lease.pk).update(side_left=side_left)
    lease.refresh_from_db()
    answer(lease, -3)  # as shown: the left one is much better
    judgment = judgments.submit(lease, at=NOW)
    assert verdict_of(judgment, "gold") == ("pass" if side_left == "a" else "fail")


@pytest.mark.parametrize("kind", ["gold", "identical"])
@pytest.mark.parametrize("answered", ["both_bad", "cannot_tell"])
def test_an_answer_that_is_no_number_leaves_gold_and_identical_unknown(kind, answered):
    judgment = judged(plain_check(make_study(), kind), value=3)
    judgment.scores.filter(dimension__key="overall").update(kind=answered, value=None)

    quality.judge_judgment(judgment, at=NOW)
    judgment.refresh_from_db()

    assert verdict_of(judgment, kind) == "unknown"
    assert reason_of(judgment, kind) == "overall was answered without a number"


def test_only_overall_is_held_against_what_is_known():
    judgment = judged(plain_check(make_study(), expected=3), value=3, prosody=-3, immersion=0)

    assert verdict_of(judgment, "gold") == "pass"


# --- Identical, spoken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "verdict"), [(0, "pass"), (1, "pass"), (-1, "pass"), (2, "fail"), (-3, "fail")])
def test_identical_sides_are_at_most_one_step_apart(value, verdict):
    judgment = judged(plain_check(make_study(), "identical", expected=0), value=value)

    assert verdict_of(judgment, "identical") == verdict


@pytest.mark.parametrize(("value", "verdict"), [(-3, "pass"), (-2, "fail"), (3, "fail"), (0, "fail")])
def test_a_spoken_wish_is_followed_to_the_letter_or_not(value, verdict):
    judgment = judged(plain_check(make_study(), "spoken_check", expected=-3), value=value)

    assert verdict_of(judgment, "spoken") == verdict


def test_who_answers_a_spoken_wish_without_a_number_did_not_hear_it():
    judgment = judged(plain_check(make_study(), "spoken_check", expected=-3), value=0)
    judgment.scores.filter(dimension__key="overall").update(kind="both_bad", value=None)

    quality.judge_judgment(judgment, at=NOW)
    judgment.refresh_from_db()

    assert verdict_of(judgment, "spoken") == "fail"


# --- Repeats ----------------------------------------------------------------------------------------------------------


def repeated(first: int, again: int) -> Judgment:
    """A pair judged twice by one rater, sides swapped; values as shown on the screen."""
    study = make_study()
    rater = join(study)
    pair = make_pair(study)
    lease = make_lease(pair, rater)
    answer(lease, first)
    judgments.submit(lease, at=NOW)
    for number in range(5):
        judged(make_pair(study), rater, at=NOW + minutes(number + 1))
    repeat = checks.repeat_for(rater, study)
    second = make_lease(repeat, rater, at=NOW + minutes(9))
    assert second.side_left == lease.side_right
    answer(second, again, at=NOW + minutes(9))
    return judgments.submit(second, at=NOW + minutes(9))


@pytest.mark.parametrize(
    ("first", "again", "verdict"),
    [(2, -2, "pass"), (3, -1, "pass"), (1, 1, "pass"), (1, 2, "pass"), (0, 3, "pass"),
     (2, 2, "fail"), (-3, -1, "fail"), (3, 3, "fail")],
)  # fmt: skip
def test_a_repeat_fails_only_for_one_side_of_the_screen_strongly_twice(first, again, verdict):
    judgment = repeated(first, again)

    assert verdict_of(judgment, "repeat") == verdict


def test_a_repeat_whose_first_answer_was_no_number_is_unknown():
    judgment = repeated(3, 3)
    first = Judgment.objects.get(lease__pair=judgment.lease.pair.check_of)
    first.scores.filter(dimension__key="overall").update(kind="cannot_tell", value=None)

    quality.judge_judgment(judgment, at=NOW)
    judgment.refresh_from_db()

    assert verdict_of(judgment, "repeat") == "unknown"
    assert reason_of(judgment, "repeat") == "the pair that it repeats has no answer with a number to compare"


def test_a_repeat_whose_sides_were_not_swapped_is_unknown():
    judgment = repeated(3, 3)
    Lease.objects.filter(pair=judgment.lease.pair.check_of).update(side_left=judgment.lease.side_left)

    quality.judge_judgment(judgment, at=NOW)
    judgment.refresh_from_db()

    assert verdict_of(judgment, "repeat") == "unknown"


# --- What a verdict is ------------------------------------------------------------------------------------------------


def test_a_failed_check_fails_its_own_judgment_and_no_other():
    study = make_study()
    rater = join(study)
    vote = judged(make_pair(study), rater)

    check = judged(plain_check(study, expected=3), rater, value=-3)

    assert check.quality.verdict == "fail"
    assert vote.quality.verdict == "unknown"
    assert list(counting_judgments(study)) == [vote]


def test_a_check_never_counts_whether_it_passed_or_failed():
    study = make_study()
    for value in (3, -3):
        judged(plain_check(study, expected=3), value=value)

    assert not counting_judgments(study).exists()


def test_a_check_keeps_its_verdict_when_listening_is_not_recorded():
    judgment = judged(plain_check(make_study(listening_policy="none"), expected=3), value=3)

    assert judgment.quality.verdict == "unknown"  # nobody knows what was heard
    assert {name: said[0] for name, said in judgment.quality.checks.items()} == {
        "listening": "unknown", "stalls": "unknown", "gold": "pass",
    }  # fmt: skip


@pytest.mark.parametrize(("stalled", "verdict"), [(0.0, "pass"), (3.0, "pass"), (3.1, "unknown")])
def test_a_sound_that_stalled_leaves_the_verdict_unknown(stalled, verdict):
    lease = make_lease(make_pair(make_study(listening_policy="recorded")))
    ListeningLog.objects.create(lease=lease, side="left", stalled_seconds=stalled, coverage=1.0)
    answer(lease)
    judgment = judgments.submit(lease, at=NOW)
    assert verdict_of(judgment, "stalls") == verdict


def test_a_simulated_rater_leaves_every_check_unknown():
    study = make_study(is_simulated=True)
    rater = make_user(is_simulated=True)
    judgment = judged(plain_check(study, expected=3), rater, value=3)

    assert {said[0] for said in judgment.quality.checks.values()} == {"unknown"}


def test_an_undone_and_changed_answer_is_judged_anew():
    gold = plain_check(make_study(), expected=3)
    judgment = judged(gold, value=-3)
    leases.undo(judgment.lease, at=NOW)
    lease = Lease.objects.get(pk=judgment.lease.pk)
    answer(lease, lease.shown_value(3))
    again = judgments.submit(lease, at=NOW)

    assert verdict_of(again, "gold") == "pass"
    assert Judgment.objects.get().quality.checks["gold"][0] == "pass"


# --- Reasons ----------------------------------------------------------------------------------------------------------


def test_reasons_are_stored_as_codes_with_numbers():
    judgment = judged(plain_check(make_study(), expected=3), value=-2)

    assert judgment.quality.checks["gold"] == ["fail", ["gold_wrong", {"value": -2, "expected": 3}]]
    assert reason_of(judgment, "gold") == "−2 on overall where +3 was expected, more than one step off"


def test_every_code_has_a_sentence_that_its_numbers_fit():
    numbers = {"share": 0.984, "seconds": 3.21, "value": -2, "expected": 3, "first": 1, "again": 0}

    sentences = [sentence_of([code, numbers]) for code in SENTENCES]
    assert all(sentence and "%(" not in sentence for sentence in sentences)
    assert sentence_of(["heard", numbers]) == "at least 98% of each side's speech was heard"
    assert sentence_of(["stalled", numbers]) == "the sound stalled for 3.2 s"


def test_what_was_judged_before_reasons_had_codes_is_shown_as_it_stands():
    assert lines_of({"listening": ["unknown", "the study records no listening"]}) == [
        ("listening", "unknown", "the study records no listening")
    ]


def test_a_code_of_a_newer_version_is_shown_and_does_not_break_the_page():
    assert sentence_of(["from_tomorrow", {"n": 1}]) == "from_tomorrow {'n': 1}"


def test_files_are_in_english_whoever_asks_for_them():
    with translation.override("ja"):
        assert english_of(["not_recorded", {}]) == "the study records no listening"


# --- What annotators may know of it -----------------------------------------------------------------------------------


def test_agreement_with_gold_counts_checks_of_the_study_from_the_next_day_on():
    study = make_study(shows_agreement=True)
    rater = join(study)
    judged(plain_check(study, expected=3), rater, value=3)
    judged(plain_check(study, expected=3), rater, value=-3)
    judged(plain_check(study, "identical"), rater, value=3)

    assert agreement_with_gold(rater, [study], at=NOW + minutes(60)) is None
    later = agreement_with_gold(rater, [study], at=NOW + minutes(24 * 60))
    assert (later.n_right, later.n_gold) == (1, 2)


def test_agreement_is_not_told_where_the_study_does_not_show_it():
    study = make_study(shows_agreement=False)
    rater = join(study)
    judged(plain_check(study, expected=3), rater, value=3)

    assert agreement_with_gold(rater, [study], at=timezone.now()) is None

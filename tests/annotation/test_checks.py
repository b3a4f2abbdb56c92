"""Checks are made from the study's own pairs: what is treated in them, what of it is heard, who may have them."""

import random
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from annotation import tasks
from annotation.material.wishes import spoken_wish
from annotation.models import Lease, Pair, Study
from annotation.queries.lending import open_pairs, settled_pairs, waiting_pairs
from annotation.services import checks, renditions, studies
from annotation.services.checks import treating
from annotation.services.checks.making import Numbers, default_numbers, plan_checks
from earshot.accounts.models import AuditEntry
from earshot.acoustics.levels import integrated_lufs, true_peak_dbtp
from earshot.acoustics.peaks import Peaks
from earshot.acoustics.pitch import measure_pitch
from earshot.jobs import artefacts
from earshot.jobs.models import Job
from tests.annotation.checked import judged, plain_check, spoken_study
from tests.annotation.sounding import RATE, Clock, Listener
from tests.factories import NOW, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = pytest.mark.django_db


def heard(pair: Pair, letter: str) -> np.ndarray:
    """What is played, full scale ±1."""
    with artefacts.open_artefact(renditions.ensure_sounds(pair)[letter].sha256) as file:
        return np.frombuffer(file.read()[44:], "<i2").astype(np.float32) / 32_767


def untreated(pair: Pair, letter: str) -> np.ndarray:
    plain = Pair(study=pair.study, dialogue_a=pair.dialogue_a, dialogue_b=pair.dialogue_b, level_lufs=pair.level_lufs)
    return heard(plain, letter)


def treated_side(check: Pair) -> renditions.PlayedSide:
    return renditions.side_of_pair(check, check.treatment["letter"])


def gold_check(kind: str, letter: str = "a") -> Pair:
    """A gold check of two recorded conversations, whose one side was made worse in this way."""
    study, pair = spoken_study()
    treated = treating.make_worse(pair, letter, kind, random.Random(1))
    return make_pair(
        study, scenario=pair.scenario, kind="gold", dialogue_a=pair.dialogue_a, dialogue_b=pair.dialogue_b,
        treatment=treated.treatment, level_lufs=treated.level_lufs, expected_value=-3,
    )  # fmt: skip


def spoken_check(wish: str = "this", letter: str = "a", **fields) -> Pair:
    study, pair = spoken_study(**fields)
    treated = treating.say_wish(pair, letter, wish, study.language, random.Random(1))
    return make_pair(
        study, scenario=pair.scenario, kind="spoken_check", dialogue_a=pair.dialogue_a, dialogue_b=pair.dialogue_b,
        treatment=treated.treatment, level_lufs=treated.level_lufs, expected_value=3,
    )  # fmt: skip


# --- What is heard ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flat", "unsteady"])
def test_a_gold_checks_sides_are_equally_loud_and_no_peak_passes_minus_1_dbtp(kind):
    check = gold_check(kind)

    levels = [integrated_lufs(heard(check, letter), RATE) for letter in "ab"]
    assert abs(levels[0] - levels[1]) <= 0.5
    assert max(true_peak_dbtp(heard(check, letter)) for letter in "ab") <= -0.99


def test_a_flat_voice_has_a_fifth_of_its_range_and_the_users_voice_keeps_its_own():
    check = gold_check("flat")
    side, plain = heard(check, "a"), untreated(check, "a")
    after = treated_side(check).at
    ranges = {
        turn.position: [
            measure_pitch(plain, RATE, turn.start, turn.end).range_semitones,
            measure_pitch(side, RATE, after(turn.start), after(turn.end)).range_semitones,
        ]
        for turn in check.dialogue_a.turns.all()
    }

    replies = [ranges[turn.position] for turn in check.dialogue_a.turns.filter(role="assistant")]
    questions = [ranges[turn.position] for turn in check.dialogue_a.turns.filter(role="user")]
    assert np.mean([now for _before, now in replies]) < 0.2 * np.mean([before for before, _now in replies])
    assert all(now == pytest.approx(before, rel=0.05) for before, now in questions)


def test_an_unsteady_level_wanders_by_more_than_ten_decibels_within_a_reply():
    check = gold_check("unsteady")
    side, plain = heard(check, "a"), untreated(check, "a")
    after = treated_side(check).at
    reply = max(check.dialogue_a.turns.filter(role="assistant"), key=lambda turn: turn.end - turn.start)
    length = round((reply.end - reply.start) * RATE)

    before, now = (
        samples[round(at * RATE) :][:length] for samples, at in ((plain, reply.start), (side, after(reply.start)))
    )
    frames = [slice(first, first + RATE // 10) for first in range(0, length - RATE // 10, RATE // 10)]
    loud = [frame for frame in frames if np.sqrt(np.mean(before[frame] ** 2)) > 0.02]
    gains = [20 * np.log10(np.std(now[frame]) / np.std(before[frame])) for frame in loud]
    assert max(gains) - min(gains) > 10


def test_every_reply_of_a_worse_side_comes_two_to_three_seconds_later():
    check = gold_check("unsteady")
    after = treated_side(check).at
    turns = list(check.dialogue_a.turns.all())
    waits = [
        (after(reply.start) - after(before.end)) - (reply.start - before.end)
        for before, reply in pairwise(turns)
        if reply.role == "assistant"
    ]

    assert len(waits) == 3
    assert all(2.0 <= wait <= 3.05 for wait in waits)
    assert treated_side(check).seconds == pytest.approx(len(heard(check, "a")) / RATE, abs=0.01)


def test_the_added_silence_sounds_like_the_pause_around_it():
    check = gold_check("unsteady")
    at, seconds = check.treatment["changes"][0]
    side = heard(check, "a")
    longer = side[round((at + 0.1) * RATE) : round((at + seconds - 0.1) * RATE)]
    before = side[round((at - 0.08) * RATE) : round(at * RATE)]

    assert np.std(longer) == pytest.approx(np.std(before), rel=0.5)
    assert np.std(longer) > 0


def test_the_other_side_of_a_check_is_played_as_in_its_regular_pair():
    check = gold_check("flat")

    assert np.array_equal(heard(check, "b"), untreated(check, "b"))


@pytest.mark.parametrize("language", ["zh-Hans", "yue", "vi"])
def test_a_language_with_tones_is_never_spoken_on_one_note(language):
    assert treating.worse_kinds(language) == ["unsteady"]


def test_a_dialogue_without_a_reply_cannot_be_made_worse():
    _study, pair = spoken_study()
    pair.dialogue_a.turns.filter(role="assistant").delete()

    with pytest.raises(ValueError, match="has no reply that could be made worse"):
        treating.make_worse(pair, "a", "flat", random.Random(1))


def test_a_side_whose_peaks_leave_no_room_lowers_both_sides_of_the_check(monkeypatch):
    monkeypatch.setattr("earshot.acoustics.treatments.TRUE_PEAK_CEILING_DBTP", -12.0)  # as if the peaks were higher
    check = gold_check("flat")

    levels = [integrated_lufs(heard(check, letter), RATE) for letter in "ab"]
    assert check.level_lufs < check.dialogue_a.level_lufs - 0.5
    assert levels == pytest.approx([check.level_lufs] * 2, abs=0.15)


def test_the_wish_is_spoken_in_the_last_fifth_as_loud_as_the_dialogue():
    check = spoken_check()
    [[start, end]] = check.treatment["inserted"]
    side = heard(check, "a")

    assert 0.8 * check.dialogue_a.seconds <= start
    assert end <= len(side) / RATE
    said = side[round(start * RATE) : round(end * RATE)]
    assert integrated_lufs(said, RATE) == pytest.approx(integrated_lufs(untreated(check, "a"), RATE), abs=0.6)
    wish = spoken_wish("en", "this").samples()
    assert len(said) == pytest.approx(len(wish), abs=2)
    assert np.corrcoef(said[: len(wish)], wish[: len(said)])[0, 1] > 0.99


def test_no_word_of_the_dialogue_is_lost_around_the_wish():
    check = spoken_check()
    side, plain = treated_side(check), untreated(check, "a")
    now = heard(check, "a")
    gain = np.std(now[: RATE * 5]) / np.std(plain[: RATE * 5])

    for start, end in check.dialogue_a.speech:
        first, moved = round((start + 0.06) * RATE), round(side.at(start + 0.06) * RATE)
        length = round((end - start - 0.3) * RATE)
        assert np.allclose(now[moved : moved + length], gain * plain[first : first + length], atol=2e-3)


def test_the_wish_stands_inside_a_turn_of_the_page_and_counts_as_speech_to_be_heard():
    check = spoken_check()
    side = treated_side(check)
    [[start, end]] = check.treatment["inserted"]
    turns = [(side.at(turn.start), side.at(turn.end)) for turn in check.dialogue_a.turns.all()]

    assert any(first <= start and end <= last for first, last in turns)
    assert [start, end] in side.speech
    assert turns == sorted(turns)


def test_who_left_the_wish_out_has_not_heard_enough(monkeypatch):
    check = spoken_check(listening_policy="enforced")
    clock = Clock(timezone.now())
    monkeypatch.setattr("django.utils.timezone.now", clock)
    lease = make_lease(check, at=clock.at)
    listener = Listener(lease, clock)
    [[start, end]] = check.treatment["inserted"]
    told = {}
    for side in listener.sides:
        listener.fetch(side)
        seconds = renditions.side_of(lease, side).seconds
        if lease.letter(side) == "b":
            told = listener.listen(side, end=seconds)
            continue
        listener.listen(side, end=start)
        told = listener.listen(side, start=end, end=seconds)
    assert told["gate_open"] is False

    side = next(each for each in listener.sides if lease.letter(each) == "a")
    listener.listen(side, start=start, end=end)
    for each in listener.sides:
        told = listener.listen(each, end=renditions.side_of(lease, each).seconds)
    assert told["gate_open"] is True


def test_a_treated_sides_waveform_is_of_its_own_sound():
    check = gold_check("unsteady")
    peaks = Peaks.from_bytes(renditions.peaks_of(check, "a"))

    assert peaks.seconds == pytest.approx(len(heard(check, "a")) / RATE, abs=0.001)


# --- Making them ------------------------------------------------------------------------------------------------------


def run(job: Job) -> Job:
    assert tasks.make_checks.name == job.kind  # it is sent by name
    tasks.make_checks(str(job.pk), job.fence)
    job.refresh_from_db()
    return job


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # the job's heartbeat has a connection of its own
def test_the_job_makes_what_was_asked_for_and_says_how_many():
    study, pair = spoken_study(check_rate=0.2)

    job = run(checks.request_checks(study, Numbers(2, 1, 2), by=None, seed=5))

    assert (job.state, job.result) == ("succeeded", {"made": 5})
    made = study.pairs.exclude(kind="regular")
    assert sorted(made.values_list("kind", flat=True)) == ["gold", "gold", "identical", "spoken_check", "spoken_check"]
    assert {check.check_of_id for check in made} == {pair.pk}
    assert {check.seats_left for check in made} == {checks.CHECK_SEATS}
    for check in made.filter(kind="gold"):
        assert check.expected_value == (-3 if check.treatment["letter"] == "a" else 3)
    wishes = {check.treatment["prompt"]: check for check in made.filter(kind="spoken_check")}
    assert set(wishes) == {"this", "other"}
    for wish, check in wishes.items():
        favours_a = (check.treatment["letter"] == "a") == (wish == "this")
        assert check.expected_value == (3 if favours_a else -3)
    assert AuditEntry.objects.filter(action="study.checks_made").count() == 1


@pytest.mark.slow
def test_a_job_that_starts_again_makes_only_what_is_missing_and_the_same():
    study, _pair = spoken_study()
    first = checks.make_checks(study, n_gold=1, n_identical=1, n_spoken=0, seed=5)
    before = {check.treatment["key"]: check.treatment.get("sound") for check in first}

    again = checks.make_checks(study, n_gold=1, n_identical=1, n_spoken=0, seed=5)
    Pair.objects.filter(pk=first[0].pk).delete()
    made_anew = checks.make_checks(study, n_gold=1, n_identical=1, n_spoken=0, seed=5)

    assert again == []
    assert [check.treatment["key"] for check in made_anew] == [first[0].treatment["key"]]
    assert made_anew[0].treatment["sound"] == before[first[0].treatment["key"]]


def test_checks_are_spread_over_scenarios_sides_and_ways():
    study = make_study()
    for _each in range(4):
        make_pair(study)

    planned = plan_checks(study, Numbers(4, 4, 4), seed=1)

    for kind in ("gold", "identical", "spoken_check"):
        of_kind = [each for each in planned if each.kind == kind]
        assert len({each.of.scenario_id for each in of_kind}) == 4
        assert sorted(each.letter for each in of_kind) == ["a", "a", "b", "b"]
    assert sorted(each.how for each in planned if each.kind == "gold") == ["flat", "flat", "unsteady", "unsteady"]


@pytest.mark.parametrize(
    ("fields", "numbers", "words"),
    [
        ({}, Numbers(), "Ask for 1 to 200 checks of a kind."),
        ({}, Numbers(-1, 5, 0), "Ask for 1 to 200"),
        ({}, Numbers(201, 0, 0), "Ask for 1 to 200"),
        ({"language": "fr"}, Numbers(0, 0, 1), "speaks English, Japanese and Chinese, not 'fr'"),
        ({"is_simulated": True}, Numbers(1, 0, 0), "Simulated raters hear nothing"),
        ({"state": "finished"}, Numbers(1, 0, 0), "is finished and takes no more checks"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_remedy(fields, numbers, words):
    study = make_study(running=False, **fields)
    make_pair(study)

    with pytest.raises(ValidationError, match=words):
        checks.request_checks(study, numbers, by=None)
    assert not Job.objects.exists()


def test_a_study_without_pairs_takes_no_checks():
    with pytest.raises(ValidationError, match="has no pairs yet to make checks of"):
        checks.request_checks(make_study(), Numbers(1, 0, 0), by=None)


def test_two_jobs_do_not_make_checks_of_one_study_at_once():
    study = make_study()
    make_pair(study)
    checks.request_checks(study, Numbers(1, 0, 0), by=None)

    with pytest.raises(ValidationError, match="are being made already"):
        checks.request_checks(study, Numbers(1, 0, 0), by=None)


def test_a_study_that_starts_gets_the_checks_one_rater_meets():
    study = make_study(running=False, check_rate=1 / 6)
    for _each in range(40):
        make_pair(study)

    studies.change_state(study, Study.State.RUNNING, by=None)

    [job] = Job.objects.filter(kind=checks.KIND)
    assert {name: job.arguments[name] for name in ("n_gold", "n_identical", "n_spoken")} == {
        "n_gold": 2, "n_identical": 2, "n_spoken": 2,
    }  # fmt: skip


@pytest.mark.parametrize("fields", [{"check_rate": 0.0}, {"check_rate": 0.2, "is_simulated": True}])
def test_a_study_without_checks_or_listeners_starts_without_making_any(fields):
    study = make_study(running=False, **fields)
    make_pair(study)

    studies.change_state(study, Study.State.RUNNING, by=None)

    assert not Job.objects.exists()


def test_a_study_that_starts_again_makes_no_second_lot():
    study = make_study(running=False, check_rate=0.2)
    make_pair(study)
    plain_check(study)

    studies.change_state(study, Study.State.RUNNING, by=None)

    assert not Job.objects.exists()


def test_a_language_without_recorded_wishes_gets_the_other_checks_at_its_start():
    study = make_study(language="fr", check_rate=0.2)
    make_pair(study)

    assert default_numbers(study) == Numbers(1, 1, 0)


# --- Lending them -----------------------------------------------------------------------------------------------------


def test_a_rater_gets_each_check_once_and_no_repeat_or_regular_pair_among_them():
    study = make_study()
    make_pair(study)
    gold, identical, spoken = (plain_check(study, kind) for kind in ("gold", "identical", "spoken_check"))
    rater, other = join(study), join(study)

    judged(gold, rater)
    make_lease(identical, rater)

    assert set(checks.open_checks(rater, study)) == {spoken}
    assert set(checks.open_checks(other, study)) == {gold, identical, spoken}


def test_a_check_that_ran_out_unanswered_may_be_lent_again():
    study = make_study()
    gold = plain_check(study)
    rater = join(study)
    lease = make_lease(gold, rater)
    Lease.objects.filter(pk=lease.pk).update(state="expired")

    assert list(checks.open_checks(rater, study)) == [gold]


def test_checks_of_another_study_and_those_taken_out_are_lent_to_nobody():
    study, by = make_study(), make_user("researcher")
    plain_check(make_study())
    gold = plain_check(study)
    rater = join(study)

    checks.take_out(gold, by=by)
    assert list(checks.open_checks(rater, study)) == []

    checks.put_back(gold, by=by)
    assert list(checks.open_checks(rater, study)) == [gold]
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"study.check_taken_out", "study.check_put_back"}


def judge_regular(study: Study, rater, count: int) -> list[Pair]:
    pairs = [make_pair(study) for _each in range(count)]
    for number, pair in enumerate(pairs):
        judged(pair, rater, at=NOW + minutes(number))
    return pairs


def test_a_pair_is_repeated_once_five_items_lie_between():
    study = make_study()
    rater = join(study)
    pairs = judge_regular(study, rater, 5)
    assert checks.repeat_for(rater, study) is None

    judge_regular_after(study, rater, 5)

    repeat = checks.repeat_for(rater, study)
    assert (repeat.kind, repeat.check_of, repeat.seats_left) == ("repeat", pairs[0], checks.CHECK_SEATS)
    assert (repeat.dialogue_a, repeat.dialogue_b) == (pairs[0].dialogue_a, pairs[0].dialogue_b)


def judge_regular_after(study: Study, rater, number: int) -> None:
    judged(make_pair(study), rater, at=NOW + timedelta(minutes=number))


def test_a_rater_repeats_a_pair_once_and_two_raters_share_its_row():
    study = make_study()
    one, other = join(study), join(study)
    pairs = judge_regular(study, one, 6)
    for number, pair in enumerate(pairs):
        judged(pair, other, at=NOW + minutes(number))

    repeat = checks.repeat_for(one, study)
    make_lease(repeat, one, at=NOW + minutes(9))

    assert checks.repeat_for(one, study) is None
    assert checks.repeat_for(other, study) == repeat
    assert study.pairs.filter(kind="repeat").count() == 1


def test_a_repeat_swaps_place_and_order():
    study = make_study()
    rater = join(study)
    first = judge_regular(study, rater, 6)[0]
    Lease.objects.filter(pair=first).update(side_left="b", heard_first="right")

    assert checks.sides_of_repeat(checks.repeat_for(rater, study), rater) == ("a", "right")


def test_who_never_had_a_pair_cannot_repeat_it():
    study = make_study()
    repeat = make_pair(study, kind="repeat", check_of=make_pair(study))

    with pytest.raises(ValueError, match="there is nothing to repeat"):
        checks.sides_of_repeat(repeat, join(study))


def test_skipped_and_late_pairs_checks_and_adjudications_are_not_repeated():
    study = make_study()
    rater = join(study)
    skipped, late, adjudicated, *rest = judge_regular(study, rater, 9)
    gold = plain_check(study)
    Lease.objects.filter(pair=skipped).update(state="skipped")
    Lease.objects.filter(pair=late).update(state="late")
    Lease.objects.filter(pair=adjudicated).update(purpose="adjudication")
    judged(gold, rater, at=NOW - minutes(5))

    assert checks.repeat_for(rater, study).check_of == rest[0]


# --- A pair on which all agree is gold --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"), [((3, 3, 2), 3), ((1, 2, 1), 2), ((-2, -1, -2), -2), ((-3, -3, -3), -3)]
)
def test_a_pair_on_which_all_agree_becomes_gold(values, expected):
    study, by = make_study(overlap=5), make_user("researcher")
    pair = make_pair(study)
    for value in values:
        judged(pair, value=value)

    gold = checks.declare_gold(pair, by=by, at=NOW)

    assert (gold.kind, gold.expected_value, gold.check_of) == ("gold", expected, pair)
    raters = [lease.annotator for lease in pair.leases.all()]
    assert all(list(checks.open_checks(rater, study)) == [] for rater in raters)
    assert list(checks.open_checks(join(study), study)) == [gold]


@pytest.mark.parametrize("values", [(3, 3), (3, 3, -1), (3, 3, 0), ()])
def test_a_pair_whose_votes_do_not_agree_clearly_is_no_gold(values):
    pair = make_pair(make_study(overlap=5))
    for value in values:
        judged(pair, value=value)

    with pytest.raises(ValidationError, match="At least 3 votes that count must all be for one side"):
        checks.declare_gold(pair, by=make_user("researcher"), at=NOW)


def test_a_pair_becomes_gold_once_and_a_check_never():
    pair, by = make_pair(make_study(overlap=5)), make_user("researcher")
    for _each in range(3):
        judged(pair, value=3)
    gold = checks.declare_gold(pair, by=by, at=NOW)

    with pytest.raises(ValidationError, match="is gold already"):
        checks.declare_gold(pair, by=by, at=NOW)
    with pytest.raises(ValidationError, match="is a check already"):
        checks.declare_gold(gold, by=by, at=NOW)


def test_who_had_the_gold_copy_is_not_lent_the_pair_itself():
    study, by = make_study(overlap=5), make_user("researcher")
    pair = make_pair(study)
    for _each in range(3):
        judged(pair, value=3)
    gold = checks.declare_gold(pair, by=by, at=NOW)
    rater, other = join(study), join(study)
    judged(gold, rater)

    pair.refresh_from_db()
    for reads in ({}, {"systems": pair.systems}):
        assert open_pairs(rater, study, **reads) == []
        assert [row.pk for row in open_pairs(other, study, **reads)] == [pair.pk]
    assert list(Pair.objects.open_to(rater, study)) == []
    assert list(Pair.objects.open_to(other, study)) == [pair]
    assert settled_pairs(rater, study, scenario=None) == {pair.systems: 1}
    assert waiting_pairs(rater, [study]) == {study.pk: 0}
    assert waiting_pairs(other, [study]) == {study.pk: 1}

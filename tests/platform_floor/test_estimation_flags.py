"""Speed, copying, and all that is known of a rater together."""

import numpy as np
import pytest

from earshot.estimation.copying import find_copying
from earshot.estimation.flags import flag_raters
from earshot.estimation.judged import code_judged
from earshot.estimation.sequential import Check
from earshot.estimation.speed import judge_speed
from tests.benchmarks import attacks


def draw_study(attack="nobody", *, seed=0, n_judgments=60):
    rng = np.random.default_rng(seed)
    votes = attacks.draw_votes(rng, attacks.draw_crowd(rng), n_judgments)
    attacks.attack_votes(rng, votes, attack, 0 if attack == "nobody" else 4)
    return attacks.as_judged(votes)


def codes(card):
    return [reason.code for reason in card.reasons]


def test_faster_than_the_sound_and_far_from_usual_is_implausible():
    seconds = [300.0 + step for step in range(30)] + [60.0, 240.0, 200.0, float("nan")]

    speed = judge_speed(seconds, [250.0] * 34)

    assert np.flatnonzero(speed.is_implausible).tolist() == [30]  # 240 s and 200 s: short, but not far from usual
    assert speed.ratio[30] == pytest.approx(0.24)
    assert speed.median_ratio == pytest.approx(313 / 250)
    assert np.isnan(speed.robust_z[33])


def test_where_everybody_stops_early_nobody_is_implausible():
    speed = judge_speed(np.linspace(80, 120, 40), np.full(40, 250.0))

    assert speed.is_implausible.any() == np.False_


def test_few_judgments_do_not_tell_what_is_usual():
    speed = judge_speed([5.0, 300.0, 310.0], [250.0] * 3)

    assert speed.is_implausible.tolist() == [False, False, False]
    assert np.isnan(speed.robust_z).all()


def test_unknown_times_name_nobody_and_columns_must_match():
    assert judge_speed([float("nan"), 0.0], [100.0, 100.0]).median_ratio is None
    with pytest.raises(ValueError, match="2 judging times and 1 lengths of sound"):
        judge_speed([1.0, 2.0], [1.0])


@pytest.mark.parametrize("attack", ["ring", "ring_of_a_listener"])
def test_a_ring_that_copies_is_found_whole(attack):
    groups = find_copying(draw_study(attack))

    assert [group.raters for group in groups] == [(0, 1, 2, 3)]
    assert groups[0].equal_share > 0.75 > 0.5 > groups[0].usual_share
    assert groups[0].n_shared >= 15


@pytest.mark.parametrize("attack", ["nobody", "random", "left", "halo"])
def test_raters_who_do_not_copy_are_in_no_ring(attack):
    assert find_copying(draw_study(attack, seed=1)) == ()


def test_two_judgments_alike_are_no_ring():
    values = [[2, -1, 3, 2], [2, -1, 3, 2]] * 2
    judged = code_judged([0, 1, 0, 1], [0, 0, 1, 1], [0] * 4, [1] * 4, [1] * 4, values)

    assert find_copying(judged) == ()


def test_a_rater_who_judges_a_pair_twice_does_not_copy_himself():
    values = np.tile([[2, -1, 3, 2]], (20, 1))

    assert find_copying(code_judged([0] * 20, np.arange(20) // 2, [0] * 20, [1] * 20, [1] * 20, values)) == ()


@pytest.mark.parametrize(
    ("attack", "code"), [("random", "reliability"), ("left", "side"), ("ring", "copying"), ("halo", "halo")]
)
def test_each_attack_has_its_reason_and_honest_raters_have_none(attack, code):
    cards = flag_raters(draw_study(attack, seed=2)).cards

    assert sum(code in codes(card) for card in cards[:4]) >= 3
    assert [codes(card) for card in cards[4:]] == [[]] * 20


def test_a_reason_tells_its_figure_and_the_limit_that_the_whole_interval_passes():
    reason = next(each for each in flag_raters(draw_study("left")).cards[0].reasons if each.code == "side")

    assert reason.figure.low > reason.limit == 0.5


def test_without_two_failed_fair_checks_exclusion_is_never_advised():
    judged = draw_study("left")
    failed, unfair, unknown = Check("gold", "fail"), Check("gold", "fail", is_fair=False), Check("gold", "unknown")
    checks = {0: [failed], 1: [failed, unfair, unfair, unknown], 2: [failed, failed], 3: []}

    cards = flag_raters(judged, checks).cards

    assert [card.is_flagged for card in cards[:4]] == [True] * 4
    assert [card.recommends_exclusion for card in cards[:4]] == [False, False, True, False]


def test_failed_checks_alone_advise_exclusion_once_the_test_says_so():
    cards = flag_raters(draw_study(), {5: [Check("gold", "fail")] * 2, 6: [Check("gold", "fail")] * 3}).cards

    assert (codes(cards[5]), cards[5].recommends_exclusion) == ([], False)
    assert (codes(cards[6]), cards[6].recommends_exclusion) == (["checks"], True)


def test_halo_alone_never_advises_exclusion():
    checks = {0: [Check("gold", "fail"), Check("gold", "fail"), *[Check("gold", "pass")] * 6]}

    card = flag_raters(draw_study("halo"), checks).cards[0]

    assert (codes(card), card.recommends_exclusion) == (["halo"], False)


def test_where_everybody_has_halo_it_is_the_study_that_is_told():
    judged = draw_study()
    judged.values[:] = judged.values[:, -1:]

    report = flag_raters(judged)

    assert report.halo.advises_one_dimension_per_pass is True
    assert [codes(card) for card in report.cards] == [[]] * 24


def test_where_raters_have_nothing_in_common_nobody_is_called_unreliable():
    judged = draw_study()
    judged.values[:] = np.random.default_rng(0).integers(-3, 4, judged.values.shape)

    report = flag_raters(judged)

    assert report.model.usual_reliability < 0.3
    assert [card.rater for card in report.cards if "reliability" in codes(card)] == []


def test_a_rater_who_is_often_too_fast_is_named_with_the_share():
    judged = draw_study(n_judgments=30)
    audio = np.full(len(judged), 300.0)
    seconds = np.random.default_rng(0).uniform(320, 420, len(judged))
    seconds[judged.rater == 3] = 20.0
    names = np.array([f"rater {number:02d}" for number in range(24)])

    report = flag_raters(
        code_judged(
            *(names[judged.rater], judged.pair, judged.system_a, judged.system_b, judged.side, judged.values),
            judging_seconds=seconds,
            audio_seconds=audio,
        )
    )

    assert {card.rater: codes(card) for card in report.cards if card.is_flagged} == {"rater 03": ["fast"]}
    assert report.cards[3].fast.value == 1.0
    assert report.cards[3].median_ratio == pytest.approx(20 / 300)


def test_repeats_come_onto_the_cards_of_those_who_have_them():
    report = flag_raters(draw_study(n_judgments=12), repeats=([2, 2, 9], [1, 2, -1], [1, -2, -1]))

    assert report.cards[2].self_agreement.same_sign.n == 2
    assert report.cards[9].self_agreement.same_sign.n == 1
    assert report.cards[0].self_agreement is None
    assert report.self_agreement.same_sign.value == pytest.approx(2 / 3)


def test_a_study_without_judgments_has_no_cards():
    report = flag_raters(code_judged([], [], [], [], [], np.zeros((0, 4))))

    assert (report.cards, report.copying) == ((), ())


def test_the_benchmark_counts_who_is_caught_and_who_is_flagged():
    figures = attacks.measure(("left", 12, False), studies=2, attackers=4, seed=0)

    assert figures["caught"] == [1.0, 0.6756, 1.0]  # 8 of 8
    assert figures["advised_out"][0] == 0.0  # without checks nobody's exclusion is advised
    assert figures["by"]["attackers: side"] == 8
    assert figures["honest_advised_out"][0] == 0.0

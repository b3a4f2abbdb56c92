import math

import numpy as np
import pytest

from earshot.estimation.sequential import CAREFUL, GUESSING, Check, guessing_on_gold, unfair_checks, weigh_checks

PASSED_GOLD, FAILED_GOLD = Check("gold", "pass"), Check("gold", "fail")
FAILED_VOICE = Check("spoken", "fail")


def test_without_checks_nothing_is_known():
    found = weigh_checks([])

    assert (found.verdict, found.reason, found.log_ratio) == ("unknown", "no_checks", 0.0)
    assert (found.n_passed, found.n_failed, found.n_unknown) == (0, 0, 0)


def test_evidence_is_the_sum_of_log_likelihood_ratios():
    found = weigh_checks([FAILED_GOLD, PASSED_GOLD])

    assert found.log_ratio == pytest.approx(math.log((5 / 7) / 0.1) + math.log((2 / 7) / 0.9))
    assert (found.verdict, found.reason) == ("unknown", "undecided")
    assert found.pass_at == pytest.approx(math.log(0.05 / 0.995))
    assert found.fail_at == pytest.approx(math.log(0.95 / 0.005))


def test_three_passed_gold_checks_pass():
    assert weigh_checks([PASSED_GOLD] * 2).verdict == "unknown"
    assert (weigh_checks([PASSED_GOLD] * 3).verdict, weigh_checks([PASSED_GOLD] * 3).reason) == ("pass", "careful")


def test_two_unheard_voices_fail_and_two_missed_golds_do_not_yet():
    assert (weigh_checks([FAILED_VOICE] * 2).verdict, weigh_checks([FAILED_VOICE] * 2).reason) == ("fail", "guessing")
    assert weigh_checks([FAILED_GOLD] * 2).verdict == "unknown"
    assert weigh_checks([FAILED_GOLD] * 3).verdict == "fail"


def test_nobody_fails_by_one_check_however_clear_it_is():
    found = weigh_checks([Check("gold", "fail", guessing=0.0001)], max_false_fails=0.2)

    assert found.log_ratio > found.fail_at
    assert (found.verdict, found.reason, found.n_failed) == ("unknown", "too_few_failed", 1)


def test_checks_that_could_not_run_and_unfair_ones_count_for_nothing():
    checks = [Check("gold", "unknown")] * 3 + [Check("spoken", "fail", is_fair=False)] * 5

    found = weigh_checks(checks)

    assert (found.verdict, found.reason, found.log_ratio) == ("unknown", "no_checks", 0.0)
    assert (found.n_failed, found.n_unknown) == (0, 8)


def test_passed_checks_cannot_be_saved_up():
    found = weigh_checks([PASSED_GOLD] * 100 + [FAILED_GOLD] * 5)

    assert found.verdict == "fail"


def test_an_easier_gold_says_less_about_whoever_passes_it():
    hard, easy = (weigh_checks([Check("gold", "pass", guessing=guessing_on_gold(value))]) for value in (-3, 2))

    assert (guessing_on_gold(-3), guessing_on_gold(2)) == (2 / 7, 3 / 7)
    assert hard.log_ratio < easy.log_ratio < 0


def test_an_unknown_kind_is_refused_with_the_kinds_there_are():
    with pytest.raises(ValueError, match="'trick'; kinds are gold, identical, spoken, repeat"):
        weigh_checks([Check("trick", "pass")])


def draw(rng, share_passed, n):
    return [
        Check(kind, "pass" if rng.random() < share_passed[kind] else "fail")
        for kind in rng.permutation(np.resize(list(CAREFUL), n))
    ]


def test_few_careful_raters_fail_and_nearly_all_guessers_do():
    rng = np.random.default_rng(0)

    careful = [weigh_checks(draw(rng, CAREFUL, 20)).verdict for _ in range(2000)]
    guessing = [weigh_checks(draw(rng, GUESSING, 20)).verdict for _ in range(500)]

    assert careful.count("fail") / 2000 <= 0.005
    assert careful.count("pass") / 2000 >= 0.8
    assert guessing.count("fail") / 500 >= 0.95
    assert guessing.count("pass") / 500 <= 0.01


def test_a_check_that_most_raters_fail_is_unfair_and_a_hard_one_is_not():
    check = ["broken"] * 5 + ["hard"] * 6 + ["rare"] * 4 + ["silent"] * 6
    outcome = ["fail"] * 3 + ["pass"] * 2 + ["fail", "pass"] * 3 + ["fail"] * 4 + ["unknown"] * 5 + ["fail"]

    assert unfair_checks(check, outcome) == {"broken"}

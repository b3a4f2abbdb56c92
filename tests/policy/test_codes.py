"""Prosody codes: what their levels stand for, and which arrays are none."""

import numpy as np
import pytest

from policy.learning.codes import LEVELS, check_codes, code_values, neutral_codes, random_codes


def test_tables_have_7_5_5_5_and_4_levels():
    assert LEVELS == (7, 5, 5, 5, 4)


def test_neutral_codes_change_nothing_but_leave_the_usual_pauses():
    values = code_values(neutral_codes(2))

    assert values[0].tolist() == values[1].tolist() == [[0, 0, 0, 0, 0.35], [0, 0, 0, 0, 0.2]]


def test_last_code_is_the_gap_before_the_first_phrase_and_the_break_before_the_second():
    codes = np.array([[[0, 0, 0, 0, 3], [6, 4, 4, 4, 3]]])

    assert code_values(codes)[0].tolist() == [[-3, -0.4, -0.2, -4, 1.3], [3, 0.4, 0.2, 4, 0.7]]


def test_random_codes_reach_every_level_and_no_other():
    codes = random_codes(500, np.random.default_rng(1))

    assert [sorted(set(codes[:, :, kind].ravel().tolist())) for kind in range(5)] == [list(range(n)) for n in LEVELS]


def test_a_level_outside_its_table_is_named():
    codes = neutral_codes(2)
    codes[1, 0, 4] = 4

    with pytest.raises(ValueError, match="The pause of exchange 1, phrase 0 is level 4; give one from 0 to 3"):
        code_values(codes)


@pytest.mark.parametrize("codes", [np.zeros((2, 5), int), np.zeros((2, 3, 5), int), np.zeros((2, 2, 5))])
def test_codes_of_another_shape_or_type_are_refused(codes):
    with pytest.raises(ValueError, match="give whole numbers of shape"):
        check_codes(codes)


def test_codes_for_another_number_of_exchanges_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 2, 5\); give whole numbers of shape \(4, 2, 5\)"):
        check_codes(neutral_codes(3), 4)

"""Tables for spreadsheets."""

import pytest

from annotation.queries.sheets import as_cell


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1 more", "'+1 more"),
        ("@warm", "'@warm"),
        ("-warm", "'-warm"),
        ("warm", "warm"),
        (-0.5, -0.5),
        (None, None),
    ],
)
def test_what_people_wrote_is_no_formula_and_a_number_stays_one(cell, written):
    assert as_cell(cell) == written

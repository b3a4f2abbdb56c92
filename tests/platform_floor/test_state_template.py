"""templates/_state.html: each state has its word, and a tone that says how good or bad it is."""

import pytest
from django.template.loader import render_to_string


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("pass", "good"),
        ("fail", "bad"),
        ("unknown", ""),  # not measured is neither good nor a warning
        ("late", "caution"),
        ("expired", "caution"),
        ("running", "running"),
        ("paused", ""),
    ],
)
def test_a_state_has_its_word_and_its_tone(state, tone):
    html = render_to_string("_state.html", {"state": state}).strip()

    assert html == f'<span class="badge {tone}">{state}</span>'

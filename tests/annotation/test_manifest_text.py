"""The free fields of a manifest read as words, not as Python."""

import pytest

from annotation.templatetags.manifest_text import is_nested, json_text


@pytest.mark.parametrize(
    ("value", "nested", "text"),
    [
        ("CC BY 4.0", False, "CC BY 4.0"),
        (None, False, "none"),
        (True, False, "true"),
        (0.5, False, "0.5"),
        (["demo", "rendered"], False, "demo, rendered"),
        ([], False, ""),
        ({"prosody": 0.5}, True, '{\n "prosody": 0.5\n}'),
        ([{"gap": None}], True, '[\n {\n  "gap": null\n }\n]'),
        ({"name": "Müller"}, True, '{\n "name": "Müller"\n}'),
    ],
)
def test_a_free_field_reads_as_words_or_as_json(value, nested, text):
    assert is_nested(value) is nested
    assert json_text(value) == text

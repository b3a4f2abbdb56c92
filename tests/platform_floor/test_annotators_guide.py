"""The annotator's guide and its pictures belong together."""

import re

from tests.screenshots import GUIDE

PICTURES = GUIDE.parent / "guide"
OWN = [
    path for path in PICTURES.iterdir() if not path.name.startswith("research-")
]  # the others are in the other guide
LARGEST_BYTES = 3_000_000  # of all together: they are in everybody's clone


def test_every_picture_that_the_guide_names_is_there_and_no_other():
    named = re.findall(r"\]\(guide/([^)]+)\)", GUIDE.read_text())

    assert sorted(named) == sorted(path.name for path in OWN)


def test_the_guides_pictures_are_small():
    assert sum(path.stat().st_size for path in OWN) <= LARGEST_BYTES


def test_every_picture_of_the_guide_has_words_for_who_cannot_see_it():
    alternatives = re.findall(r"!\[([^]]*)\]\(guide/", GUIDE.read_text())

    assert len(alternatives) > 30
    assert all(words.strip() for words in alternatives)

"""The researcher's guide and its pictures belong together."""

import re

from tests.screenshots_research import GUIDE

PICTURES = GUIDE.parent / "guide"
LARGEST_BYTES = 2_500_000  # of all together: they are in everybody's clone


def test_every_picture_that_the_researchers_guide_names_is_there_and_no_other():
    named = re.findall(r"\]\(guide/([^)]+)\)", GUIDE.read_text())

    assert sorted(named) == sorted(path.name for path in PICTURES.glob("research-*"))


def test_the_researchers_guides_pictures_are_small():
    assert sum(path.stat().st_size for path in PICTURES.glob("research-*")) <= LARGEST_BYTES


def test_every_picture_of_the_researchers_guide_has_words_for_who_cannot_see_it():
    alternatives = re.findall(r"!\[([^]]*)\]\(guide/", GUIDE.read_text())

    assert len(alternatives) >= 15
    assert all(words.strip() for words in alternatives)

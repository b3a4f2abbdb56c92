"""The room's scripts say only what can be translated, and no sentence is translated for nothing."""

import re

import pytest

from annotation.views.room_words import ROOM_WORDS
from tests.servers import ROOT

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "static" / "js").glob("room*.js"))}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_script_says_is_among_the_words(script):
    said = set(re.findall(r'\bsay\(\s*"(\w+)"', SCRIPTS[script]))

    assert said - set(ROOM_WORDS) == set()


def test_every_sentence_is_said_somewhere():
    literals = {text for script in SCRIPTS.values() for text in re.findall(r'"(\w+)"', script)}

    assert set(ROOM_WORDS) - literals == set()

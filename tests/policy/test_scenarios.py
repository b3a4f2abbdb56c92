"""Practice scenarios: how they are drawn, written and read back."""

import json

import pytest

from earshot.formats.manifest import SCENARIOS_FILE, write_manifest
from policy.learning.bank import load_bank
from policy.learning.scenarios import EMOTIONS, OPENERS, Scenario, draw_scenarios, scenario_of, scenarios_from_manifest
from tests.policy.practice import scenario, small_bank

bank = load_bank()


def test_user_says_the_opener_and_then_the_texts_sentence():
    drawn = scenario("joy", "worry")

    assert drawn.user_text(1) == f"{OPENERS['worry'][1]} {drawn.text.exchanges[1].user.text}"
    assert drawn.assistant_text(0) == " ".join(phrase.text for phrase in drawn.text.exchanges[0].assistant)


def test_emotions_are_told_apart_by_their_initials():
    assert len({emotion[0] for emotion in EMOTIONS}) == len(EMOTIONS)


def test_the_id_says_everything():
    drawn = Scenario(small_bank().texts()[0], ("calm", "joy", "sadness", "worry"), (0, 3, 1, 2))

    assert drawn.scenario_id == "practice-lost-keys-cjsw-0312"
    assert scenario_of(drawn.scenario_id, small_bank()) == drawn


@pytest.mark.parametrize("name", ["last-train", "practice-lost-keys", "practice-lost-keys-cxjs-0123"])
def test_an_id_of_another_kind_is_refused_with_an_example(name):
    with pytest.raises(
        ValueError, match=f"'{name}' is no practice scenario; .* such as 'practice-lost-keys-cjsw-0123'"
    ):
        scenario_of(name, small_bank())


def test_drawing_gives_each_text_of_the_part_its_share_of_different_scenarios():
    drawn = draw_scenarios(bank, "held_out", 3, seed=5)

    assert [one.text.text_id for one in drawn] == [t.text_id for t in bank.texts("held_out") for _ in range(3)]
    assert len({one.scenario_id for one in drawn}) == len(drawn) == 30
    assert all(len(set(one.arc)) > 1 for one in drawn)
    assert {emotion for one in drawn for emotion in one.arc} == set(EMOTIONS)


def test_drawing_depends_on_the_seed_and_the_text_alone():
    few, more = draw_scenarios(bank, "held_out", 1, seed=5), draw_scenarios(bank, None, 1, seed=5)

    assert set(few) <= set(more)
    assert few == draw_scenarios(bank, "held_out", 1, seed=5)
    assert few != draw_scenarios(bank, "held_out", 1, seed=6)


def test_more_scenarios_than_a_text_has_are_refused():
    assert len(draw_scenarios(small_bank(), None, 20, seed=1, exchanges=1)) == 20
    with pytest.raises(ValueError, match="21 scenarios of each of 1 texts were asked for; a text has 1 to 20"):
        draw_scenarios(small_bank(), None, 21, seed=1, exchanges=1)


def test_arc_and_openers_must_fit_each_other_and_the_text():
    text = small_bank().texts()[0]

    with pytest.raises(ValueError, match="4 exchanges, but the arc names 2 emotions and 1 openers"):
        Scenario(text, ("calm", "joy"), (0,))
    with pytest.raises(ValueError, match="There is no opener 4 of 'calm'"):
        Scenario(text, ("calm",), (4,))
    with pytest.raises(ValueError, match="There is no opener 0 of 'boredom'"):
        Scenario(text, ("boredom",), (0,))


def test_scenarios_come_back_from_a_manifest_as_they_were(tmp_path):
    drawn = draw_scenarios(bank, "held_out", 1, seed=2)
    write_manifest(tmp_path, [one.to_manifest() for one in drawn], [])

    assert scenarios_from_manifest(tmp_path, bank) == drawn


def test_a_manifest_that_tells_another_story_under_our_id_is_refused(tmp_path):
    write_manifest(tmp_path, [scenario("calm", "joy").to_manifest()], [])
    line = json.loads((tmp_path / SCENARIOS_FILE).read_text())
    line["arc"] = ["joy", "calm"]
    (tmp_path / SCENARIOS_FILE).write_text(json.dumps(line) + "\n")

    with pytest.raises(ValueError, match="tells 'practice-lost-keys-cj-01' in other words than the bank"):
        scenarios_from_manifest(tmp_path, bank)

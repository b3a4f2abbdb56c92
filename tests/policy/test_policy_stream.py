import numpy as np
import pytest

from policy.learning.codes import neutral_codes, random_codes
from policy.learning.scenarios import EMOTIONS
from policy.learning.stream import (
    GENERATED,
    KIND_SIZES,
    MAX_WORDS,
    NO_WORD,
    VOCABULARY,
    PromptEncoder,
    allowed_tokens,
    arcs_of,
    hashed_words,
    is_plan,
    plan_and_codes,
    tokens_of,
)
from tests.policy.small_world import delivery_of, draw


def test_tokens_give_back_the_plan_and_the_codes_they_were_made_of():
    random = np.random.default_rng(0)
    plan = random.integers(0, 5, (3, 4))
    codes = np.stack([random_codes(4, random) for _ in range(3)])

    ids = tokens_of(plan, codes)
    same_plan, same_codes = plan_and_codes(ids)

    assert ids.shape == (3, 4 * GENERATED)
    assert (same_plan == plan).all()
    assert (same_codes == codes).all()


def test_each_position_allows_its_own_kind_alone():
    allowed = allowed_tokens(2)

    assert allowed.shape == (22, VOCABULARY)
    assert allowed.sum(1).tolist() == 2 * [5, 7, 5, 5, 5, 4, 7, 5, 5, 5, 4]
    assert VOCABULARY == sum(KIND_SIZES) == 35
    assert allowed[5].logical_and(allowed[10]).sum() == 0  # a gap before the turn is not a pause inside it
    ids = tokens_of(np.zeros((1, 2), int), neutral_codes(2)[None])
    assert allowed[range(22), ids[0]].all()


def test_a_level_outside_its_table_is_refused_with_its_place():
    codes = neutral_codes(2)[None].copy()
    codes[0, 1, 0, 1] = 5

    with pytest.raises(ValueError, match="Level 5 of turn 1, position 2 is outside 0 … 4"):
        tokens_of(np.zeros((1, 2), int), codes)


def test_the_plan_owns_the_first_token_of_each_turn():
    assert is_plan(3).nonzero().flatten().tolist() == [0, 11, 22]


def test_words_are_hashed_alike_whatever_their_case_and_punctuation():
    assert hashed_words("What a LOVELY day.") == hashed_words("what a lovely day")
    assert hashed_words("a b").count(NO_WORD) == MAX_WORDS - 2
    assert len(hashed_words("word " * 100)) == MAX_WORDS


def test_the_prompt_holds_words_and_deliveries_but_no_emotion():
    scenario = draw()(1)[0]
    encoder = PromptEncoder(delivery_of)

    prompts = encoder.encode([scenario])

    assert prompts.words.shape == (1, 2, 3, MAX_WORDS)
    assert prompts.bins.shape == (1, 2, 3, 4)
    assert prompts.words[0, 0, 0].tolist() == hashed_words(scenario.user_text(0))
    assert prompts.words[0, 1, 2].tolist() == hashed_words(scenario.text.exchanges[1].assistant[1].text)
    assert arcs_of([scenario])[0].tolist() == [EMOTIONS.index(emotion) for emotion in scenario.arc]


def test_dialogues_of_different_lengths_do_not_share_a_batch():
    with pytest.raises(ValueError, match=r"dialogues of \[1, 2\] exchanges; give scenarios of one length"):
        PromptEncoder(delivery_of).encode([draw(exchanges=1)(0)[0], draw()(0)[0]])

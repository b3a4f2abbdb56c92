"""One text of the practice bank with its user's openers: small enough to analyse and render in a test."""

from functools import cache

from policy.learning.bank import Bank, load_bank
from policy.learning.scenarios import Scenario

TEXT_ID = "lost-keys"


@cache
def small_bank() -> Bank:
    """Its voices' means are those of this text alone."""
    bank = load_bank()
    text = bank.text(TEXT_ID)
    openers = {key: phrases for key, phrases in bank.openers.items() if key[0] == text.user_voice}
    return Bank(bank.folder, (text,), openers)


def scenario(*arc: str) -> Scenario:
    return Scenario(small_bank().text(TEXT_ID), arc, tuple(range(len(arc))))

"""One text of the practice bank with its user's openers: small enough to analyse and render in a test."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from policy.learning.bank import BANK, Bank, load_bank
from policy.learning.scenarios import Scenario

TEXT_ID = "lost-keys"


@cache
def small_bank() -> Bank:
    """In a folder of its own; its voices' means are those of this text alone."""
    folder = Path(tempfile.mkdtemp(prefix="practice-bank-"))
    atexit.register(shutil.rmtree, folder)
    text = load_bank().text(TEXT_ID)
    for name, entries, wanted in (
        ("bank.json", "texts", {"id": TEXT_ID}),
        ("openers.json", "voices", {"voice": text.user_voice}),
    ):
        index = json.loads((BANK / name).read_text())
        index[entries] = [entry for entry in index[entries] if wanted.items() <= entry.items()]
        (folder / name).write_text(json.dumps(index))
    for name in ("f0.npz", "openers-f0.npz", f"{TEXT_ID}.opus", f"openers-{text.user_voice}.opus"):
        shutil.copy(BANK / name, folder)
    return load_bank(folder)


def scenario(*arc: str) -> Scenario:
    return Scenario(small_bank().text(TEXT_ID), arc, tuple(range(len(arc))))

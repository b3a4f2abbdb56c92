"""The demo's sign-ins: random passwords, made once, readable by the data folder's owner alone."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

ROLES = ("annotator", "researcher", "admin")
# fmt: off
WORDS = [
    "amber", "arrow", "badge", "beach", "birch", "bloom", "brass", "brook", "cabin", "cedar", "chalk", "cloud",
    "coral", "crane", "delta", "ember", "fable", "fern", "flute", "frost", "gable", "glade", "grape", "harbor",
    "hazel", "heron", "honey", "ivory", "jade", "kayak", "lemon", "linen", "lotus", "maple", "meadow", "mint", "moss",
    "north", "oasis", "olive", "onyx", "opal", "orbit", "otter", "pearl", "pine", "plum", "quartz", "quill", "raven",
    "reed", "river", "robin", "saffron", "sage", "sienna", "slate", "spruce", "stone", "tidal", "topaz", "tulip",
    "umber", "velvet", "violet", "walnut", "willow", "zephyr",
]
# fmt: on


def demo_accounts(data_dir: Path) -> dict[str, dict[str, str]]:
    """Return `{role: {email, password}}`, made at the first call and the same ever after."""
    path = data_dir / "demo_accounts.json"
    if not path.exists():
        accounts = {role: {"email": f"{role}@earshot.demo", "password": _password()} for role in ROLES}
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(accounts, file, indent=1)
        draft.replace(path)
    accounts = json.loads(path.read_text())
    return {role: accounts[role] for role in ROLES}


def _password() -> str:
    """Three words and four digits: easy to type from another screen, 31 bits, behind the sign-in's rate limit."""
    return "-".join([*(secrets.choice(WORDS) for _ in range(3)), f"{secrets.randbelow(10_000):04}"])

"""Whether static files must be collected again: only if one of them, or an installed package, changed."""

from __future__ import annotations

import hashlib
from pathlib import Path


def is_due(project: Path, data_dir: Path) -> bool:
    """Whether the files collected in the data folder are not those of now."""
    stamp = data_dir / "static-collected"
    return not stamp.exists() or stamp.read_text() != _fingerprint(project)


def remember(project: Path, data_dir: Path) -> None:
    """Note that the files of now are collected."""
    (data_dir / "static-collected").write_text(_fingerprint(project))


def _fingerprint(project: Path) -> str:
    facts = [str(project)]
    for path in sorted((project / "static").rglob("*")):
        facts.append(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}")
    installed = project / ".venv" / "earshot-installed.json"  # packages bring static files too
    facts.append(installed.read_text() if installed.exists() else "")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()

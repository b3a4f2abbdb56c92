"""The walls of the house: the name `platform`, the floors, and a web side that needs no torch."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

FLOORS = ["earshot", "annotation", "rewardmodel", "policy"]  # from the ground up
PURE_ROOMS = ["formats", "acoustics", "estimation"]
FOLDERS = {
    "earshot": ROOT / "platform" / "earshot",
    "annotation": ROOT / "annotation",
    "rewardmodel": ROOT / "rewardmodel",
    "policy": ROOT / "policy",
}
TOP_LEVEL = {
    *(".ci", ".editorconfig", ".git", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md"),
    *("annotation", "compose.yaml", "deploy", "docs", "locale", "manage.py", "platform", "policy", "pyproject.toml"),
    *("rewardmodel", "static", "templates", "tests"),
}
LEARNING_LIBRARIES = {"torch", "torchaudio", "transformers", "accelerate", "safetensors"}


def python_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imported_modules(path: Path) -> set[str]:
    """The full dotted names of all that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: seen from the file's own package
                package = list(module_name(path).split("."))[: -node.level]
                base = ".".join([*package, *([base] if base else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return names


def module_name(path: Path) -> str:
    source_root = ROOT / "platform" if path.is_relative_to(ROOT / "platform") else ROOT
    return ".".join(path.relative_to(source_root).with_suffix("").parts)


def offending(paths: Iterator[Path], is_forbidden) -> list[str]:
    return sorted(
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imported_modules(path)
        if is_forbidden(name)
    )


def begins(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_platform_is_a_source_root_and_never_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_import_platform_from_the_root_gives_the_standard_library():
    command = [sys.executable, "-c", "import platform; print(platform.__file__); print(platform.system())"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    path, system = result.stdout.split()

    assert Path(path).name == "platform.py"
    assert not Path(path).is_relative_to(ROOT / "platform")
    assert system in ("Linux", "Darwin")


def test_earshot_itself_stays_empty():
    assert (FOLDERS["earshot"] / "__init__.py").read_text() == ""


@pytest.mark.parametrize("floor", FLOORS[:-1])
def test_a_floor_imports_nothing_from_above(floor):
    above = FLOORS[FLOORS.index(floor) + 1 :]

    assert offending(python_files(FOLDERS[floor]), lambda name: name.split(".")[0] in above) == []


def test_only_the_learning_rooms_import_torch():
    outside = (
        path
        for folder in FOLDERS.values()
        for path in python_files(folder)
        if not path.is_relative_to(FOLDERS["rewardmodel"] / "learning")
        and not path.is_relative_to(FOLDERS["policy"] / "learning")
    )

    assert offending(outside, lambda name: name.split(".")[0] in LEARNING_LIBRARIES) == []


@pytest.mark.parametrize("floor", ["rewardmodel", "policy"])
def test_the_learning_rooms_import_neither_django_nor_celery_nor_the_web_side(floor):
    # earshot.jobs.child is how a program tells its worker how far it is; it is the standard library alone (below).
    allowed = [*(f"earshot.{room}" for room in PURE_ROOMS), "earshot.jobs.child", "rewardmodel.learning"]
    allowed += ["policy.learning"] if floor == "policy" else []

    def is_forbidden(name: str) -> bool:
        if name.split(".")[0] in ("django", "rest_framework", "celery"):
            return True
        # `from earshot import formats` names `earshot` too: it is what is imported from it that counts.
        is_ours = name.split(".")[0] in FLOORS and name not in ("earshot", "rewardmodel", "policy")
        return is_ours and not any(begins(name, room) for room in allowed)

    assert offending(python_files(FOLDERS[floor] / "learning"), is_forbidden) == []


def test_what_a_training_process_takes_from_the_jobs_is_the_standard_library_alone():
    child = FOLDERS["earshot"] / "jobs" / "child.py"

    assert offending(iter([child]), lambda name: name.split(".")[0] not in sys.stdlib_module_names) == []
    assert [FOLDERS["earshot"].joinpath(*folder, "__init__.py").read_text() for folder in ((), ("jobs",))] == ["", ""]


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_the_pure_rooms_import_neither_django_nor_torch_nor_other_rooms(room):
    allowed = [f"earshot.{name}" for name in PURE_ROOMS]

    def is_forbidden(name: str) -> bool:
        root = name.split(".")[0]
        if root in {"django", "rest_framework", "celery", "kombu", *LEARNING_LIBRARIES}:
            return True
        return root in FLOORS and name != "earshot" and not any(begins(name, room) for room in allowed)

    assert offending(python_files(FOLDERS["earshot"] / room), is_forbidden) == []


def test_what_starts_before_the_environment_exists_uses_the_standard_library_alone():
    allowed = {*sys.stdlib_module_names, "earshot"}
    paths = list(python_files(FOLDERS["earshot"] / "embedded"))

    assert paths
    assert offending(iter(paths), lambda name: name.split(".")[0] not in allowed) == []
    assert (
        offending(iter(paths), lambda n: begins(n, "earshot") and n.count(".") and not begins(n, "earshot.embedded"))
        == []
    )


WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchaudio", "transformers", "accelerate", "safetensors"}:
            raise ImportError(f"the web side asked for {name}")

sys.meta_path.insert(0, Refuse())
sys.path.append("platform")
import django
django.setup()
from django.core.management import call_command
from django.urls import get_resolver
from earshot.celery import app
call_command("check")
app.loader.import_default_modules()
print(len(get_resolver().url_patterns) > 0, len([name for name in app.tasks if not name.startswith("celery.")]) > 0)
"""


def test_the_web_side_and_its_worker_start_without_torch(tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "earshot.settings", "EARSHOT_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_TORCH]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "True True"


def test_the_top_level_holds_what_the_map_names():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}

    assert names - TOP_LEVEL == set()


def own_pages_and_scripts() -> list[Path]:
    found = [*(ROOT / "templates").rglob("*.html"), *FOLDERS["annotation"].rglob("*.html")]
    found += [path for path in (ROOT / "static").rglob("*") if path.suffix in (".js", ".css", ".svg")]
    return [path for path in found if "vendor" not in path.parts]


def test_pages_load_nothing_from_other_hosts():
    loads = re.compile(
        r"""(?:src|srcset|poster|@import|url\()\s*=?\s*["'(]?\s*(?:https?:)?//|<link[^>]+href=["'](?:https?:)?//"""
    )
    calls = re.compile(r"""(?:fetch|import|Worker|WebSocket|EventSource)\(\s*["'`](?:https?|wss?):""")
    guilty = [
        str(path.relative_to(ROOT))
        for path in own_pages_and_scripts()
        if loads.search(text := path.read_text(encoding="utf-8")) or calls.search(text)
    ]

    assert guilty == []


def test_pages_have_no_inline_scripts_styles_or_handlers():
    inline = {
        "a script without src": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=[\"']application/json)[^>]*>", re.I),
        "a style element": re.compile(r"<style\b", re.I),
        "a style attribute": re.compile(r"<[^>]+\sstyle\s*=", re.I),
        "an event handler": re.compile(r"<[^>]+\son[a-z]+\s*=\s*[\"']", re.I),
        "a javascript: address": re.compile(r"(?:href|action)\s*=\s*[\"']\s*javascript:", re.I),
        "hx-on, which needs eval": re.compile(r"\shx-on[:=]", re.I),
    }
    guilty = [
        f"{path.relative_to(ROOT)} has {what}"
        for path in own_pages_and_scripts()
        if path.suffix == ".html"
        for what, pattern in inline.items()
        if pattern.search(
            re.sub(r"{%\s*comment.*?endcomment\s*%}|{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.S)
        )
    ]

    assert guilty == []


def test_every_static_file_that_a_page_names_exists():
    """`collectstatic` with the manifest fails on a missing reference inside CSS; templates are looked at here."""
    from django.contrib.staticfiles import finders

    named = re.compile(r"""{%\s*static\s+["']([^"'{]+)["']""")
    missing = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in own_pages_and_scripts()
        if path.suffix == ".html"
        for name in named.findall(path.read_text(encoding="utf-8"))
        if finders.find(name) is None
    ]

    assert missing == []

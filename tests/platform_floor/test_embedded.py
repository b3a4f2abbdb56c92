"""The small parts of `make run`: what it checks, installs and remembers."""

import io
import os
import socket
import stat
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from earshot.embedded import accounts, collected, lock, preflight, warden
from earshot.embedded.children import Child, describe_status
from earshot.embedded.install import Environment, check_disk_for_torch, explain_pip, install, read_pip
from earshot.embedded.plan import Plan
from earshot.embedded.preflight import SetupError
from earshot.embedded.processes import die_with_parent, end, is_alive, session_members
from earshot.embedded.progress import ProgressLine
from tests.servers import ROOT, free_port, wait_until


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_supported_python_passes(version):
    assert preflight.check_python(version) is None


@pytest.mark.parametrize(("version", "shown"), [((3, 9), "3.9"), ((3, 14), "3.14"), ((4, 0), "4.0")])
def test_another_python_is_refused_with_the_remedy(version, shown):
    with pytest.raises(SetupError, match=rf"This is Python {shown}, but Earshot needs 3.11.*PYTHON=/path"):
        preflight.check_python(version)


def test_a_full_disk_is_refused_with_both_figures(tmp_path):
    with pytest.raises(SetupError, match=r"Setting up needs 1e\+09 GB, but only [\d.]+ GB are free on the disk of"):
        preflight.check_disk(tmp_path / "not" / "yet", 1e9, "Setting up")


@pytest.mark.parametrize(("index", "needed"), [("", "12"), ("https://packages.invalid/cpu", "3")])
def test_torch_is_not_begun_on_a_disk_too_small_for_its_build(index, needed, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=2.5e9))

    with pytest.raises(SetupError, match=rf"The learning side needs {needed} GB, but only 2.5 GB are free"):
        check_disk_for_torch(tmp_path, index)


def test_a_taken_port_is_named_with_the_variable_that_changes_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {port} on 127.0.0.1 cannot be used.*EARSHOT_PORT=\d+ make run"):
            preflight.check_port("127.0.0.1", port)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "web", "80.5", "८०"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(SetupError, match=r"EARSHOT_PORT=.* is not a port"):
        preflight.read_port(text)


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(SetupError, match=r"The data folder .*/data cannot be written .*EARSHOT_DATA_DIR="):
        preflight.make_data_folder(tmp_path / "data")


def test_demo_passwords_are_made_once_and_kept_private(tmp_path):
    first = accounts.demo_accounts(tmp_path)
    again = accounts.demo_accounts(tmp_path)

    assert first == again
    assert list(first) == ["annotator", "researcher", "admin"]
    assert len({account["password"] for account in first.values()}) == 3
    assert stat.S_IMODE((tmp_path / "demo_accounts.json").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert accounts.demo_accounts(tmp_path / "other") != first


def test_the_lock_admits_one_supervisor_and_names_it(tmp_path):
    held = lock.take(tmp_path / "run", "http://127.0.0.1:8321/")
    with pytest.raises(SetupError, match=r"already running on .* \(process \d+\). Open http://127.0.0.1:8321/"):
        lock.take(tmp_path / "run", "http://127.0.0.1:9999/")
    with pytest.raises(SetupError, match="already running"):
        lock.check_nobody_runs_here(tmp_path / "run")

    held.close()

    lock.check_nobody_runs_here(tmp_path / "run")
    lock.take(tmp_path / "run", "http://127.0.0.1:9999/").close()


def test_the_plan_reads_its_choices(tmp_path):
    plan = Plan.from_environment(
        tmp_path, {"EARSHOT_PORT": "9000", "EARSHOT_DEMO": "0", "EARSHOT_SKIP_TRAIN": "1", "EARSHOT_BIND": "0.0.0.0"}
    )

    assert (plan.port, plan.with_demo, plan.with_learning_side) == (9000, False, False)
    assert plan.url == "http://127.0.0.1:9000/"
    assert plan.data_dir == tmp_path / ".earshot"


def test_static_files_are_collected_again_only_after_a_change(tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "page.css").write_text("a")
    assert collected.is_due(tmp_path, tmp_path)

    collected.remember(tmp_path, tmp_path)
    assert not collected.is_due(tmp_path, tmp_path)

    (tmp_path / "static" / "page.css").write_text("a{}")
    assert collected.is_due(tmp_path, tmp_path)


def test_an_environment_lacks_what_a_changed_pyproject_may_ask_for(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / "pyproject.toml").write_text("one")
    environment = Environment(tmp_path / ".venv", tmp_path)
    assert environment.lacks(("test", "dev")) == ["", "test", "dev"]

    environment.remember(("test",))
    assert environment.lacks(("test", "dev")) == ["dev"]
    environment.remember(("dev",))
    assert environment.lacks(("test", "dev")) == []

    (tmp_path / "pyproject.toml").write_text("two")
    assert environment.lacks(()) == [""]


def test_two_installations_never_run_at_once(tmp_path):
    (tmp_path / "pyproject.toml").write_text("one")
    environment = Environment(tmp_path / ".venv", tmp_path)

    with environment.held() as first, environment.held() as second:
        assert (first, second) == (True, False)
        with pytest.raises(SetupError, match=r"Another installation into .* is under way"):
            install(environment, (), ProgressLine(io.StringIO()))

    with environment.held() as later:
        assert later is True


def test_pip_becomes_a_progress_line():
    words: list[str] = []
    said = [
        "Collecting torch==2.11.*",
        "  Downloading https://host/torch-2.11.0-cp311-linux.whl (821.0 MB)",
        "Progress 410500000 of 821000000",
        "Progress 20 of 40",
        "Collecting numpy<3,>=2.3",
        "Using cached numpy-2.3.0.whl",
        "Installing collected packages: numpy, torch",
    ]

    assert list(read_pip(said, words)) == [
        "finding packages, 1 so far (torch)",
        "downloading torch",
        "downloading torch, 410 of 821 MB",
        "finding packages, 2 so far (numpy)",
        "downloading numpy",
        "unpacking 2 packages",
    ]
    assert words[-1] == "Installing collected packages: numpy, torch"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full."),
        ("WARNING: Retrying after NewConnectionError('refused')", "The package registry cannot be reached."),
        ("ERROR: No matching distribution found for torch", "pip could not install Earshot's packages. It said: ERROR"),
        ("OSError: Readme file does not exist", "pip could not install Earshot's packages. It said: OSError: Readme"),
    ],
)
def test_a_failed_pip_becomes_a_sentence(said, sentence, tmp_path):
    assert explain_pip(["Collecting x", said, "hint: See above"], tmp_path / "log").startswith(sentence)


def test_progress_is_occasional_lines_where_nothing_can_be_rewritten():
    stream = io.StringIO()
    progress = ProgressLine(stream)

    for percent in range(100):
        progress.show("Installing", f"{percent} %")
    progress.show("Starting")

    assert stream.getvalue() == "Installing: 0 %\nStarting\n"


def test_progress_is_one_rewritten_line_on_a_terminal():
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = ProgressLine(stream)

    progress.show("Installing", "1 %")
    progress.say("The address")
    progress.clear()

    assert stream.getvalue() == (
        "\r\x1b[KInstalling: 1 %" + "\r\x1b[K" + "The address\n" + "\r\x1b[KInstalling: 1 %" + "\r\x1b[K"
    )


def test_the_warden_watches_what_was_not_forgotten():
    assert warden.watch(["watch 7\n", "watch 9\n", "forget 7\n", "watch 11\n"]) == [9, 11]


@pytest.mark.parametrize(
    ("status", "words"), [(3, "status 3"), (-9, "killed by SIGKILL"), (-250, "killed by signal 250")]
)
def test_a_status_in_words(status, words):
    assert describe_status(status) == words


def test_a_child_that_keeps_dying_is_started_later_each_time(tmp_path):
    watched, forgotten, waits = [], [], []
    child = Child("worker", ["false"], tmp_path, tmp_path / "log", {}, watched.append, forgotten.append)
    child.start()

    for _ in range(4):
        child.process.wait()
        words = child.look_after(lambda session: None)
        waits.append(words.partition("again in ")[2].partition(" s.")[0])
        child.start_at = 0
        child.look_after(lambda session: None)

    child.process.wait()
    assert waits == ["1", "2", "4", "8"]
    assert forgotten == watched[:-1]


def test_ending_a_child_ends_its_strays_too():
    # The child ignores SIGTERM and has a child of its own in another process group.
    script = "import os, signal, subprocess, time; signal.signal(15, signal.SIG_IGN); "
    script += "subprocess.Popen(['sleep', '60'], process_group=0); print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    assert len(session_members(child.pid)) == 2

    began = time.monotonic()
    status = end(child, grace_seconds=0.3)

    assert status == -9
    assert session_members(child.pid) == []
    assert 0.3 <= time.monotonic() - began < 2


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_child_dies_with_its_killed_parent():
    script = "import subprocess, time; from earshot.embedded.processes import die_with_parent as d; "
    script += "print(subprocess.Popen(['sleep', '60'], preexec_fn=d()).pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    grandchild = int(parent.stdout.readline())
    assert is_alive(grandchild)

    parent.kill()
    parent.wait()

    wait_until(lambda: not is_alive(grandchild), "the end of the grandchild", seconds=3)
    assert callable(die_with_parent())


def run_make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_run_on_a_taken_port_says_so_in_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run_make("run", EARSHOT_PORT=str(port), EARSHOT_DATA_DIR=str(tmp_path))

    assert result.returncode != 0
    assert f"earshot: Port {port} on 127.0.0.1 cannot be used" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_make_run_without_a_python_says_which_it_needs(tmp_path):
    result = run_make("run", f"PYTHON={tmp_path}/python3.11")

    assert result.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 found" in result.stderr
    assert "Traceback" not in result.stderr


def test_free_port_is_one_that_can_be_had():
    preflight.check_port("127.0.0.1", free_port())

"""What `make loop` does around its driver: its folder, its output, its memory."""

import os
import subprocess
import sys

import pytest

from earshot.embedded import loop, memory
from earshot.embedded.preflight import SetupError


def test_the_loop_works_in_a_folder_of_its_own(tmp_path):
    plan = loop.read_plan(tmp_path, {"EARSHOT_DATA_DIR": str(tmp_path / "lab")})

    assert plan.data_dir == tmp_path / ".earshot" / "loop"
    assert plan.with_demo is False


def test_the_loop_never_empties_a_folder_that_it_did_not_make(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "earshot.sqlite3").write_text("the lab's")

    with pytest.raises(SetupError, match=r"holds files that no earlier loop made.*EARSHOT_LOOP_DIR=/other/folder"):
        loop.read_plan(tmp_path, {"EARSHOT_LOOP_DIR": str(tmp_path)})

    assert (tmp_path / "earshot.sqlite3").read_text() == "the lab's"


def test_a_folder_of_an_earlier_loop_is_emptied_but_for_its_lock(tmp_path):
    (tmp_path / loop.MARK).touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "artefacts" / "ab").mkdir(parents=True)
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)

    plan = loop.read_plan(tmp_path, {"EARSHOT_LOOP_DIR": str(tmp_path)})
    loop.empty(plan.data_dir, keep={plan.run_dir, tmp_path / loop.MARK})

    assert sorted(path.name for path in tmp_path.iterdir()) == [loop.MARK, "run"]
    assert tmp_path.parent.exists()


def printed(code: str, capfd) -> tuple[str, str]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    printer = loop.Printer(process)
    process.wait()
    return printer.finish(), capfd.readouterr().out


def test_the_drivers_last_line_is_kept_for_the_figures(capfd):
    assert printed("print('one'); print('two'); print('{}')", capfd) == ("{}\n", "one\ntwo\n")


def test_a_failed_drivers_last_line_is_printed(capfd):
    assert printed("print('one'); print('why'); raise SystemExit(1)", capfd)[1] == "one\nwhy\n"


def test_memory_counts_descendants_in_sessions_of_their_own():
    hold = "import time; block = bytearray(64 * 2**20); print('held', flush=True); time.sleep(60)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}], start_new_session=True)"
    parent = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "held\n"
        peak = memory.PeakMemory()
        peak.look([parent.pid])

        assert len(memory.family([parent.pid])) == 2
        assert 64 / 1024 < peak.gibibytes < 0.2
    finally:
        for pid in memory.family([parent.pid]) - {parent.pid}:
            os.kill(pid, 9)
        parent.kill()
        parent.wait()
    assert memory.proportional_set_size(parent.pid) == 0


def test_memory_is_looked_at_once_a_second_however_often_it_is_asked(monkeypatch):
    looks = []
    monkeypatch.setattr(memory, "family", lambda roots: looks.append(1) or set())
    peak = memory.PeakMemory()

    for _ in range(100):
        peak.look([])

    assert len(looks) == 1

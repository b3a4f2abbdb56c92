"""A child to be started by the tests: python child_program.py WHAT [ARGUMENT…]"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from earshot.jobs.child import emit, fence, still_mine

what, *arguments = sys.argv[1:]

if what == "speak":
    print("hello")
    print("oh dear", file=sys.stderr)
    emit(progress=0.5, message="half way", metrics={"step": 3, "loss": 0.25})
    emit(metrics={"step": 4, "loss": float("nan")})
    Path("made.bin").write_bytes(b"made")
    emit(artefact={"path": "made.bin", "name": "made"})
    emit(log="a line", result={"answer": 42})
if what == "fail":
    print("Cannot read the data.", file=sys.stderr)
    raise SystemExit(3)
if what == "shout":
    for number in range(int(arguments[0])):
        print(f"line {number}")
if what == "report":
    for number in range(int(arguments[0])):
        emit(progress=number / int(arguments[0]), metrics={"step": number, "loss": 1.0})
if what == "family":  # a stubborn child with a grandchild in its group and a daemon outside of it; prints all three
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    grandchild = subprocess.Popen(sleep)
    daemon = subprocess.Popen(sleep, start_new_session=True)
    Path(arguments[0]).write_text(f"{os.getppid()} {os.getpid()} {grandchild.pid} {daemon.pid}")
    if arguments[1:] == ["leave"]:
        sys.exit()
    time.sleep(600)
if what == "checkpoints":  # folder, count, seconds: goes on after the newest checkpoint
    folder, count, seconds = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    for number in range(count):
        if list(folder.glob(f"{number}.*")):
            continue
        time.sleep(seconds)
        if not still_mine():
            emit(log="not mine any more")
            sys.exit(9)
        (folder / f"{number}.{fence()}").touch()
        emit(progress=(number + 1) / count)
    emit(result={"checkpoints": count})
if what == "wait for the answer":
    Path(arguments[0]).write_text(str(still_mine()))
    time.sleep(600)

"""A pytest plugin, loaded by `-p tests.environment`: what Django's settings must find before they are first read.

pytest-django reads the settings before any conftest.py, so this cannot stand in one.
Every xdist worker gets a data folder and a Redis database of its own.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

if "EARSHOT_TEST_ROOT" not in os.environ:  # the controller makes it, its workers inherit it
    os.environ["EARSHOT_TEST_ROOT"] = tempfile.mkdtemp(prefix="earshot-tests-")
    atexit.register(shutil.rmtree, os.environ["EARSHOT_TEST_ROOT"], ignore_errors=True)

data_dir = Path(os.environ["EARSHOT_TEST_ROOT"]) / worker
(data_dir / "static").mkdir(parents=True, exist_ok=True)  # WhiteNoise warns of a folder that is not there
os.environ["EARSHOT_DATA_DIR"] = str(data_dir)
os.environ["EARSHOT_SECRET_KEY"] = "only for tests, never for people"
os.environ.setdefault("EARSHOT_HOSTS", "localhost,127.0.0.1,testserver")
os.environ.pop("EARSHOT_DEBUG", None)
os.environ.setdefault("OMP_NUM_THREADS", "1")

if os.environ.get("REDIS_URL") and worker != "main":
    number = 1 + int(worker.removeprefix("gw"))  # Redis has 16 databases; 0 is the controller's
    os.environ["REDIS_URL"] = re.sub(r"/\d*$", "", os.environ["REDIS_URL"]) + f"/{number}"

"""What must be so before Earshot starts. What is not so becomes one clear sentence, never a traceback."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
GIGABYTE = 1_000_000_000
SETUP_GIGABYTES = 2.0  # .venv of the web side (measured: 1.0 GB with the test tools) and room to unpack
CUDA_GIGABYTES = 12.0  # PyPI's torch with its CUDA libraries: about 4 GB to fetch, 8 GB unpacked
CPU_GIGABYTES = 3.0  # a CPU build of torch
RUN_GIGABYTES = 0.5  # the database, the demo's audio and logs


class SetupError(Exception):
    """Something a person can put right; its text says what and how."""


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that Earshot's dependencies do not support."""
    if not OLDEST <= version <= NEWEST:
        raise SetupError(
            f"This is Python {version[0]}.{version[1]}, but Earshot needs 3.11, 3.12 or 3.13. "
            "Install one, or name it: make run PYTHON=/path/to/python3.11"
        )


def check_disk(folder: Path, gigabytes: float, purpose: str) -> None:
    """Refuse to begin what would fill the disk half-way."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < gigabytes:
        raise SetupError(
            f"{purpose} needs {gigabytes:g} GB, but only {free:.1f} GB are free on the disk of {folder}. "
            "Free some space, or move the data with EARSHOT_DATA_DIR=/other/disk make run"
        )


def read_port(text: str) -> int:
    """Read EARSHOT_PORT."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65535:
        raise SetupError(f"EARSHOT_PORT={text!r} is not a port. Set it to a number from 1024 to 65535, such as 8321.")
    return int(text)


def check_port(address: str, port: int) -> None:
    """Refuse a port that somebody else listens on, or that we may not listen on."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as gunicorn does: a closing connection is no owner
        try:
            probe.bind((address, port))
        except PermissionError:
            raise SetupError(
                f"Port {port} is kept for the administrator. Choose one from 1024 up: EARSHOT_PORT=8321 make run"
            ) from None
        except OSError as error:
            raise SetupError(
                f"Port {port} on {address} cannot be used ({error.strerror}): another program listens there. "
                f"Stop it, or choose another port: EARSHOT_PORT={port + 1 if port < 65535 else 8321} make run"
            ) from None


def make_data_folder(folder: Path) -> None:
    """Create the data folder, open to its owner alone, and make sure that we can write there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"The data folder {folder} cannot be written ({error.strerror}). "
            "Make it yours, or choose another: EARSHOT_DATA_DIR=/other/folder make run"
        ) from None

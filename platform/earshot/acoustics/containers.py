"""Sound-file headers, read before any decoder sees the file: what it is, and whether its lengths can be true."""

import os
import struct
from typing import BinaryIO

from earshot.acoustics.errors import AudioError

READABLE = "WAV, FLAC, Ogg (Vorbis or Opus), MP3, AIFF, CAF or W64"
PAD_BYTES = 1  # chunks are padded to even lengths, and not every writer counts the pad byte
_OGG_TAIL_BYTES = 65_536 + 27 + 255  # one Ogg page at its longest
_OGG_LAST_PAGE = 0x04


def sniff_container(stream: BinaryIO) -> str:
    """Name the container by its first bytes (never by the file's name). Raises AudioError if it is none we read."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    if len(head) == 0:
        raise AudioError("The file is empty (0 bytes). Send the sound file again.")
    magics = {b"RIFF": "WAV", b"RIFX": "WAV", b"RF64": "RF64", b"fLaC": "FLAC", b"OggS": "OGG", b"caff": "CAF"}
    if head[:4] in magics:
        return magics[head[:4]]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[:16].startswith(b"riff\x2e\x91\xcf\x11"):
        return "W64"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "MP3"
    raise AudioError(f"The file is no sound file: it begins with {head[:12]!r}. Send {READABLE}.")


def check_lengths(stream: BinaryIO, container: str) -> None:
    """Raise AudioError where a header promises more, or admits to less, than the file holds."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if container == "WAV":
        _check_wav(stream, size)
    elif container == "OGG":
        _check_ogg(stream, size)
    stream.seek(0)


def _check_wav(stream: BinaryIO, size: int) -> None:
    head = stream.read(12)
    if len(head) < 12 or head[8:] != b"WAVE":
        raise AudioError(f"The WAV header ends after {len(head)} bytes or lacks 'WAVE'. Write the file again.")
    order = ">" if head[:4] == b"RIFX" else "<"
    claimed = struct.unpack(order + "I", head[4:8])[0] + 8
    if abs(claimed - size) > PAD_BYTES:
        raise AudioError(
            f"The WAV header says the file has {claimed} bytes, but it has {size}. "
            "It was cut off or never finished: write it again, for example with 'ffmpeg -i in.wav out.wav'."
        )
    place = 12
    while place + 8 <= size:
        stream.seek(place)
        name, length = struct.unpack(order + "4sI", stream.read(8))
        if place + 8 + length > size:
            raise AudioError(
                f"The WAV chunk {name!r} claims {length} bytes, but only {size - place - 8} follow. "
                "The file was cut off or its header is wrong: write it again."
            )
        if name == b"data":
            return
        place += 8 + length + length % 2
    raise AudioError("The WAV file has no data chunk, so no sound. Write it again.")


def _check_ogg(stream: BinaryIO, size: int) -> None:
    stream.seek(max(0, size - _OGG_TAIL_BYTES))
    tail = stream.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail) or not tail[page + 5] & _OGG_LAST_PAGE:
        raise AudioError("The Ogg file has no last page: it was cut off. Send it again, whole.")
    segments = tail[page + 26]
    table = tail[page + 27 : page + 27 + segments]
    if len(table) < segments or page + 27 + segments + sum(table) > len(tail):
        raise AudioError("The last page of the Ogg file is cut off. Send it again, whole.")

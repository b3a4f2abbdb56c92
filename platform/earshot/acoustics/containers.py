"""Sound-file headers, read before any decoder sees the file: what it is, and whether its lengths can be true."""

import os
import struct
from typing import BinaryIO

from earshot.acoustics.errors import AudioError

READABLE = "WAV, RF64, FLAC, Ogg (Vorbis or Opus), MP3 or AIFF"
PAD_BYTES = 1  # chunks are padded to even lengths, and not every writer counts the pad byte
_OGG_TAIL_BYTES = 65_536 + 27 + 255  # one Ogg page at its longest
_OGG_LAST_PAGE = 0x04
_REWRITE = "write it again, for example with 'ffmpeg -i in.wav out.wav'."


def sniff_container(stream: BinaryIO) -> str:
    """Name the container by its first bytes (never by the file's name). Raises AudioError if it is none we read."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    if len(head) == 0:
        raise AudioError("The file is empty (0 bytes). Send the sound file again.")
    magics = {b"RIFF": "WAV", b"RIFX": "WAV", b"RF64": "RF64", b"fLaC": "FLAC", b"OggS": "OGG"}
    if head[:4] in magics:
        return magics[head[:4]]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "MP3"
    raise AudioError(f"The file is no sound file: it begins with {head[:12]!r}. Send {READABLE}.")


def check_lengths(stream: BinaryIO, container: str) -> None:
    """Raise AudioError where a header promises more, or admits to less, than the file holds."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if container in ("WAV", "RF64", "AIFF"):
        _check_chunks(stream, size, container)
    elif container == "OGG":
        _check_ogg(stream, size)
    stream.seek(0)


def _check_chunks(stream: BinaryIO, size: int, container: str) -> None:
    """Walk the chunks of a WAV, RF64 or AIFF file: its own length and that of every chunk must fit the file."""
    head = stream.read(12)
    if len(head) < 12 or (container != "AIFF" and head[8:] != b"WAVE"):
        raise AudioError(f"The {container} header is not whole ({len(head)} bytes: {head!r}). Write the file again.")
    order = "<" if head[:4] in (b"RIFF", b"RF64") else ">"
    claimed = struct.unpack(order + "I", head[4:8])[0] + 8
    data_length = None
    if container == "RF64":  # its true lengths stand in 64 bits in the chunk that must come first
        ds64 = stream.read(24).ljust(24, b"\0")
        claimed, data_length = (
            number + extra for number, extra in zip(struct.unpack("<QQ", ds64[8:]), (8, 0), strict=True)
        )
    if abs(claimed - size) > PAD_BYTES:
        raise AudioError(
            f"The {container} header says the file has {claimed} bytes, but it has {size}. "
            f"It was cut off or never finished: {_REWRITE}"
        )
    names: list[bytes] = []
    place = 12
    while place + 8 <= size:
        stream.seek(place)
        name, length = struct.unpack(order + "4sI", stream.read(8))
        if name == b"data" and data_length is not None:
            length = data_length
        if not name.isascii() or not name.decode().isprintable() or place + 8 + length > size:
            after = f" after {names[-1]!r}" if names else ""
            raise AudioError(
                f"The {container} chunk {name!r}{after} claims {length} bytes, but {size - place - 8} follow. "
                f"The file was cut off or a length in it is wrong: {_REWRITE}"
            )
        names.append(name)
        place += 8 + length + length % 2
    if not {b"data", b"SSND"} & set(names):
        raise AudioError(f"The {container} file has no data chunk, so no sound. Record or export it again.")


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

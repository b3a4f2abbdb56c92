"""Where a manifest may point for its audio: files under its own folder, or links to hosts that an admin allowed."""

import re
import stat
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

MAX_LINK_CHARS = 1_024
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:")


class LinkError(ValueError):
    """The audio cannot be taken from there; `message` and `remedy` say why and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}")


def is_remote(audio: str) -> bool:
    """True for an s3:// or https:// link, False for a file beside the manifest."""
    return audio.startswith(("s3://", "https://"))


def check_audio(audio: str, folder: Path, allowed_hosts: Collection[str]) -> None:
    """Raise LinkError unless `audio` is a regular file under `folder` or a link to one of `allowed_hosts`."""
    if not audio or len(audio) > MAX_LINK_CHARS:
        raise LinkError(f"The path has {len(audio)} characters.", f"Use 1 … {MAX_LINK_CHARS}.")
    if any(ord(character) < 32 or ord(character) == 127 for character in audio):
        raise LinkError(f"The path {audio!r} holds a control character.", "Rename the file.")
    if is_remote(audio):
        _check_remote(audio, allowed_hosts)
    elif _SCHEME.match(audio):
        raise LinkError(
            f"{audio!r} is no kind of link that is fetched.", "Use a path beside the manifest, s3:// or https://."
        )
    else:
        locate(audio, folder)


def locate(audio: str, folder: Path) -> Path:
    """The real path of a local audio file. Raises LinkError if it leaves `folder` (links followed) or is no file."""
    if "\\" in audio:
        raise LinkError(f"{audio!r} has a backslash.", "Separate folders with '/'.")
    if audio.startswith("/") or ".." in audio.split("/") or _SCHEME.match(audio) or "\0" in audio:
        raise LinkError(
            f"{audio!r} leads out of the manifest's folder.", "Put the file in the folder and name it from there."
        )
    try:
        root = folder.resolve(strict=True)
        path = (root / audio).resolve(strict=True)
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise LinkError(f"There is no file {audio!r}.", "Add the file, or correct its name.") from None
    except (OSError, RuntimeError, UnicodeError) as error:  # name too long, link loop, no permission, half a surrogate
        raise LinkError(f"{audio!r} cannot be read ({error}).", "Correct the name or the permissions.") from None
    if not path.is_relative_to(root):
        raise LinkError(f"{audio!r} is a link out of the manifest's folder.", "Put the file itself in the folder.")
    if not stat.S_ISREG(mode):
        raise LinkError(f"{audio!r} is not a file.", "Name the sound file itself.")
    return path


def _check_remote(audio: str, allowed_hosts: Collection[str]) -> None:
    try:
        parts = urlsplit(audio)
        host = parts.hostname or ""
        secret = parts.username is not None or parts.password is not None
        port = parts.port
    except ValueError:
        raise LinkError(f"{audio!r} is not a well-formed link.", "Correct it.") from None
    if secret:
        raise LinkError(
            "The link carries a user name or a password.", "Remove them; give access by the host's settings."
        )
    if port not in (None, 443) or any(character.isspace() for character in audio) or not audio.isascii():
        raise LinkError(
            f"{audio!r} has a port or characters that a link must not have.", "Percent-encode it; use port 443."
        )
    if not host or parts.path in ("", "/"):
        raise LinkError(f"{audio!r} names no file.", "Write the host and the path.")
    entry = f"s3://{host}" if parts.scheme == "s3" else host
    if entry not in {allowed.lower() for allowed in allowed_hosts}:
        raise LinkError(
            f"{entry!r} is not among the allowed hosts.", "Ask an administrator to allow it, or send the file."
        )

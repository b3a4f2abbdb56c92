"""Sounds that a manifest names by link: fetched only from allowed hosts, never from inside our own network."""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.files.storage import storages

BLOCK_BYTES = 1024 * 1024
MOST_REDIRECTS = 3
ANSWER_SECONDS = 30.0  # for each wait
MOST_SECONDS = 1_800.0  # for a whole file
_REDIRECTS = (301, 302, 303, 307, 308)


class FetchError(ValueError):
    """The sound could not be fetched; the message names the link, what came back and what to do."""


def fetch_sound(link: str, target: Path, *, allowed_hosts: Collection[str], most_bytes: int) -> None:
    """Write what an https:// or s3:// link gives into `target`.

    Raises:
        FetchError: if the host is not allowed, does not answer in time, sends an error, more than `most_bytes` or less
            than it promised.
    """
    if link.startswith("s3://"):
        _fetch_s3(link, target, allowed_hosts, most_bytes)
        return
    try:
        _fetch_https(link, target, allowed_hosts, most_bytes)
    except (OSError, http.client.HTTPException) as error:  # refused, timed out, bad certificate, cut off
        raise FetchError(f"{link} could not be fetched ({error or type(error).__name__}). Try again later.") from error


def _fetch_https(link: str, target: Path, allowed_hosts: Collection[str], most_bytes: int) -> None:
    address = link
    for _ in range(MOST_REDIRECTS + 1):
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme != "https" or host not in {allowed.lower() for allowed in allowed_hosts}:
            raise FetchError(
                f"{link} leads to {address!r}, which is not an allowed host. Name the sound's own address."
            )
        connection = connect(host)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "Earshot"})
            answer = connection.getresponse()
            if answer.status in _REDIRECTS:
                address = urljoin(address, answer.headers.get("Location", ""))
                continue
            if answer.status != 200:
                raise FetchError(f"{link} answered {answer.status} {answer.reason}. Correct the link or its access.")
            _save(answer, target, link, most_bytes, promised=answer.length)
            return
        finally:
            connection.close()
    raise FetchError(f"{link} was redirected more than {MOST_REDIRECTS} times. Name the sound's own address.")


def connect(host: str) -> http.client.HTTPConnection:
    """A connection to `host` at an address that was checked, so that a name cannot change its mind in between."""
    address = public_address(host)
    connection = http.client.HTTPSConnection(host, 443, timeout=ANSWER_SECONDS)
    plain = socket.create_connection((address, 443), timeout=ANSWER_SECONDS)
    try:
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
    return connection


def public_address(host: str) -> str:
    """The host's first address. Raises FetchError if any of its addresses is private, local or reserved."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)]
    for address in found:
        if not ipaddress.ip_address(address).is_global:
            raise FetchError(
                f"{host} stands for {address}, an address inside a private network. Send the file instead."
            )
    return found[0]


def _save(source: Any, target: Path, link: str, most_bytes: int, *, promised: int | None) -> None:
    began, got = time.monotonic(), 0
    with target.open("wb") as file:
        while block := source.read(BLOCK_BYTES):
            got += len(block)
            if got > most_bytes:
                raise FetchError(f"{link} has more than {most_bytes} bytes, the limit for one sound. Cut it.")
            if time.monotonic() - began > MOST_SECONDS:
                raise FetchError(f"{link} took more than {MOST_SECONDS:.0f} s. Try again, or send the file.")
            file.write(block)
    if promised is not None and got != promised:
        raise FetchError(f"{link} promised {promised} bytes but sent {got}. Try again.")


def _fetch_s3(link: str, target: Path, allowed_hosts: Collection[str], most_bytes: int) -> None:
    parts = urlsplit(link)
    if f"s3://{parts.hostname}" not in {allowed.lower() for allowed in allowed_hosts}:
        raise FetchError(f"{link} is in a bucket that is not allowed. Ask an administrator to allow it.")
    if not settings.STORAGE_URL:
        raise FetchError(f"{link} needs an object store, but none is set up (EARSHOT_STORAGE_URL). Send the file.")
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    client = storages["artefacts"].connection.meta.client  # type: ignore[attr-defined]
    try:
        answer = client.get_object(Bucket=parts.netloc, Key=parts.path.removeprefix("/"))
        _save(answer["Body"], target, link, most_bytes, promised=answer["ContentLength"])
    except (BotoCoreError, ClientError) as error:
        raise FetchError(f"{link} could not be fetched ({error}). Check the bucket's access.") from error

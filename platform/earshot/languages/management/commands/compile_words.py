"""`manage.py compile_words`: make the .mo files in locale/ from the .po files. Needs Babel, no gettext."""

import struct
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from earshot.languages.catalogue import DOMAINS, TRANSLATED_LANGUAGES, compiled_file

MAGIC, HEADER_BYTES, ENTRY_BYTES = 0x950412DE, 28, 8


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        for language in TRANSLATED_LANGUAGES:
            for domain in DOMAINS:
                path = compiled_file(language, domain)
                path.write_bytes(compiled(path.with_suffix(".po")))


def compiled(source: Path) -> bytes:
    """What the .mo file of this .po file holds: entries that are translated and not fuzzy.

    Babel reads; we write, because it would put its version and the present time into the file.
    """
    try:
        from babel.messages.pofile import read_po
    except ImportError as error:
        raise CommandError("Babel is not installed: pip install .[test]") from error
    with source.open("rb") as file:
        catalogue = read_po(file)
    plural = f"nplurals={catalogue.num_plurals}; plural={catalogue.plural_expr};"
    words = {"": f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {plural}\n"}
    for message in catalogue:
        forms = _as_tuple(message.string)
        if message.id and all(forms) and not message.fuzzy:
            originals = _as_tuple(message.id)
            context = f"{message.context}\4" if message.context else ""
            words[context + "\0".join(originals)] = "\0".join(forms)
    return _machine_object(words)


def _as_tuple(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (text,)


def _machine_object(words: dict[str, str]) -> bytes:
    """Source: GNU gettext manual, "The Format of GNU MO Files"; without the hash table, which Python does not read."""
    entries = sorted((key.encode(), value.encode()) for key, value in words.items())
    at_keys, at_values = HEADER_BYTES, HEADER_BYTES + ENTRY_BYTES * len(entries)
    offset = at_values + ENTRY_BYTES * len(entries)
    tables, texts = [], []
    for column in (0, 1):
        for entry in entries:
            tables.append(struct.pack("<2I", len(entry[column]), offset))
            texts.append(entry[column] + b"\0")
            offset += len(entry[column]) + 1
    header = struct.pack("<7I", MAGIC, 0, len(entries), at_keys, at_values, 0, 0)
    return header + b"".join(tables) + b"".join(texts)

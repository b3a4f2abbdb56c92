"""The table of shipped recordings in docs/recordings.md: `python -m earshot.demo.catalogue docs/recordings.md`."""

import sys
from pathlib import Path

from earshot.demo.bank import RECORDINGS, SOURCES, load_scripts

LARGEST_TOTAL_BYTES = 20_000_000
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
LICENCE_NAMES = {"dailytalk": "CC BY-SA 4.0", "emodb": "CC0 1.0", "english": "CC BY 4.0"}


def recordings_table() -> str:
    """One Markdown row per recording (file, voice, seconds, bytes, source, licence), then the sums per source."""
    rows = ["| recording | voice | seconds | bytes | source | licence |", "|---|---|---:|---:|---|---|"]
    seconds, sizes = dict.fromkeys(SOURCES, 0.0), dict.fromkeys(SOURCES, 0)
    for script in load_scripts():
        for recording in (recording for turn in script.turns for recording in turn.recordings):
            size = recording.path.stat().st_size
            name = recording.path.relative_to(RECORDINGS).as_posix()
            licence = LICENCE_NAMES[script.source]
            rows.append(
                f"| {name} | {recording.voice} | {recording.seconds:.2f} | {size} | {script.source} | {licence} |"
            )
            seconds[script.source] += recording.seconds
            sizes[script.source] += size
    sums = [
        f"| **{source}** | | **{seconds[source]:.1f}** | **{sizes[source]}** | {source} | {LICENCE_NAMES[source]} |"
        for source in SOURCES
    ]
    return "\n".join([*rows, *sums])


def total_bytes() -> int:
    """Everything below recordings/: sound, scripts, F0 tracks and licences."""
    return sum(path.stat().st_size for path in RECORDINGS.rglob("*") if path.is_file())


def table_in(page: str) -> str:
    """What stands between the marks of a page. Raises ValueError if a mark is missing."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"The page has no {BEGIN} … {END}; add both lines where the table belongs.")
    return page.split(BEGIN)[1].split(END)[0].strip()


def main(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table_in(text)
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{recordings_table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

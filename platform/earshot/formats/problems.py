"""What is wrong with a manifest, line by line: every problem names its place and its remedy."""

from collections.abc import Iterable
from dataclasses import dataclass

PRINTED_PROBLEMS = 20  # str(ManifestError) shows this many; .problems holds the rest
MAX_PROBLEMS = 10_000  # a file of a million bad lines must not fill the memory


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a manifest from being imported. Line 0 stands for the file as a whole."""

    file: str
    line: int
    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        field = f", {self.field}" if self.field else ""
        return f"{place}{field}: {self.message} {self.remedy}"


class ManifestError(ValueError):
    """The manifest cannot be imported; `problems` holds one entry for everything that is wrong."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self._as_text())

    def _as_text(self) -> str:
        count = len(self.problems)
        lines = [f"The manifest has {count} problem{'' if count == 1 else 's'}:"]
        lines += [str(problem) for problem in self.problems[:PRINTED_PROBLEMS]]
        if count > PRINTED_PROBLEMS:
            lines.append(f"… and {count - PRINTED_PROBLEMS} more.")
        return "\n".join(lines)


class ProblemLog:
    """Collects problems in the order in which they are found, up to MAX_PROBLEMS of them."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self.count = 0

    def add(self, file: str, line: int, field: str, message: str, remedy: str) -> None:
        self.count += 1
        if self.count <= MAX_PROBLEMS:
            self._problems.append(Problem(file, line, field, message, remedy))
        elif self.count == MAX_PROBLEMS + 1:
            message = f"More than {MAX_PROBLEMS} problems were found; the later ones are not listed."
            self._problems.append(Problem(file, line, "", message, "Repair these first, then import again."))

    def sorted(self) -> list[Problem]:
        """All problems, scenarios before dialogues and by line within each file."""
        order = {"scenarios.jsonl": 0, "dialogues.jsonl": 1}
        return sorted(self._problems, key=lambda problem: (order.get(problem.file, 2), problem.line))

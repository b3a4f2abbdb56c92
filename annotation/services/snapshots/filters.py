"""Which judgments a snapshot takes in, and for which reason each other one stays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from annotation.models import QualityVerdict, Study
from annotation.queries.counting import excluded_from
from annotation.services.snapshots.identity import Names

LATE, SIMULATED = gettext_noop("late"), gettext_noop("simulated")
EXCLUDED, WITHDRAWN = gettext_noop("excluded rater"), gettext_noop("consent withdrawn")
BEFORE, AFTER = gettext_noop("before the first day"), gettext_noop("after the last day")
QUALITY = "quality "


def reason_for_reader(reason: str) -> str:
    """A stored reason (`SnapshotFilter.reason_out`) in the reader's language."""
    if not reason.startswith(QUALITY):
        return _(reason)
    return _("quality %(verdict)s") % {"verdict": QualityVerdict.Verdict(reason.removeprefix(QUALITY)).label}


@dataclass(frozen=True, kw_only=True)
class SnapshotFilter:
    """Part of the content id, so it names raters by pseudonym and lists every dimension."""

    quality: tuple[str, ...] = ("pass", "unknown")  # verdicts taken in
    include_late: bool = False
    include_simulated: bool = False  # always marked as simulated in the rows
    dimensions: tuple[str, ...] = ()  # empty: all of the study's
    since: datetime | None = None  # submitted then or later
    until: datetime | None = None  # submitted before
    excluded_raters: tuple[str, ...] = ()  # pseudonyms

    def resolved(self, study: Study) -> "SnapshotFilter":
        """The same filter with every dimension named, in a fixed order.

        Raises:
            ValidationError: for a dimension or verdict that does not exist, or an end before the beginning.
        """
        asked = list(study.dimensions.values_list("key", flat=True))
        if unknown := [key for key in self.dimensions if key not in asked]:
            raise ValidationError(
                _("Study '%(study)s' does not ask '%(unknown)s'. It asks: %(asked)s.")
                % {"study": study, "unknown": unknown[0], "asked": ", ".join(asked)}
            )
        if not self.quality or (strange := set(self.quality) - set(QualityVerdict.Verdict.values)):
            named = (
                _("'%(strange)s' is no verdict") % {"strange": sorted(strange)[0]}
                if self.quality
                else _("No quality verdict is taken in")
            )
            raise ValidationError(
                _("%(named)s. Choose from: %(verdicts)s.")
                % {"named": named, "verdicts": ", ".join(QualityVerdict.Verdict.values)}
            )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValidationError(
                _("The last day (%(until)s) must come after the first (%(since)s).")
                % {"until": format(self.until, "%Y-%m-%d"), "since": format(self.since, "%Y-%m-%d")}
            )
        return SnapshotFilter(
            **{
                **vars(self),
                "quality": tuple(verdict for verdict in QualityVerdict.Verdict.values if verdict in self.quality),
                "dimensions": tuple(key for key in asked if not self.dimensions or key in self.dimensions),
                "excluded_raters": tuple(sorted(set(self.excluded_raters))),
            }
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "quality": list(self.quality),
            "include_late": self.include_late,
            "include_simulated": self.include_simulated,
            "dimensions": list(self.dimensions),
            "since": None if self.since is None else self.since.astimezone(UTC).isoformat(),
            "until": None if self.until is None else self.until.astimezone(UTC).isoformat(),
            "excluded_raters": list(self.excluded_raters),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SnapshotFilter":
        return cls(
            quality=tuple(values["quality"]),
            include_late=values["include_late"],
            include_simulated=values["include_simulated"],
            dimensions=tuple(values["dimensions"]),
            since=None if values["since"] is None else datetime.fromisoformat(values["since"]),
            until=None if values["until"] is None else datetime.fromisoformat(values["until"]),
            excluded_raters=tuple(values["excluded_raters"]),
        )

    def reason_out(
        self, *, is_late: bool, is_simulated: bool, rater: str, submitted_at: datetime, verdict: str
    ) -> str | None:
        """Why this judgment stays out (the first reason that holds), or None if it is in."""
        if is_simulated and not self.include_simulated:
            return SIMULATED
        if is_late and not self.include_late:
            return LATE
        if rater in self.excluded_raters:
            return EXCLUDED
        if self.since is not None and submitted_at < self.since:
            return BEFORE
        if self.until is not None and submitted_at >= self.until:
            return AFTER
        return None if verdict in self.quality else f"{QUALITY}{verdict}"


def default_filter(study: Study) -> SnapshotFilter:
    """All that counts: nobody who is excluded; simulated judgments only where the study is marked simulated."""
    names = Names(study)
    excluded = tuple(sorted(names.rater(rater) for rater in excluded_from(study)))
    return SnapshotFilter(include_simulated=study.is_simulated, excluded_raters=excluded)

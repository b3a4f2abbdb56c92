"""Where a study comes from and what came of it: its parent, pilots and later versions; and how its pairs came about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Study
from annotation.services.studies import Kind
from earshot.accounts.models import User


@dataclass(frozen=True)
class Family:
    """Only studies that the reader may see."""

    parent: Study | None
    pilots: list[Study]
    versions: list[Study]  # copies that are no pilots

    @property
    def is_empty(self) -> bool:
        return not (self.parent or self.pilots or self.versions)


def family_of(study: Study, user: User) -> Family:
    readable = Study.objects.readable_by(user)
    copies = list(readable.filter(parent=study).order_by("created_at", "pk"))
    return Family(
        parent=readable.filter(pk=study.parent_id).first() if study.parent_id else None,
        pilots=[each for each in copies if each.is_pilot],
        versions=[each for each in copies if not each.is_pilot],
    )


@dataclass(frozen=True)
class MadePairs:
    """One entry of Study.pair_designs, to read."""

    name: str
    n_pairs: int
    details: list[str]
    at: datetime | None


def designs_of(study: Study) -> list[MadePairs]:
    """How its pairs came about, the newest first."""
    return [_made_pairs(record) for record in reversed(study.pair_designs)]


def _made_pairs(record: Mapping[str, Any]) -> MadePairs:
    kind = str(record.get("design", ""))
    name = str(Kind(kind).label) if kind in Kind.values else _("drawn by chance for a pilot")
    at = record.get("at")
    return MadePairs(
        name, int(record.get("pairs", 0)), list(_details(record)), datetime.fromisoformat(at) if at else None
    )


def _details(record: Mapping[str, Any]) -> list[str]:
    details = [", ".join(record.get("systems", []))]
    if reference := record.get("reference"):
        details.append(_("reference %(system)s") % {"system": reference})
    if n := record.get("systems_per_scenario"):
        details.append(ngettext("%(n)d system per scenario", "%(n)d systems per scenario", n) % {"n": n})
    if n := record.get("pairs_per_scenario"):
        details.append(ngettext("%(n)d pair per scenario", "%(n)d pairs per scenario", n) % {"n": n})
    if tags := record.get("tags"):
        details.append(_("tags %(tags)s") % {"tags": ", ".join(tags)})
    if n := record.get("scenarios_at_most"):
        details.append(ngettext("at most %(n)d scenario", "at most %(n)d scenarios", n) % {"n": n})
    is_drawn = {"blocks", "pilot"} & {record.get("design")} or record.get("scenarios_at_most")
    if is_drawn and (seed := record.get("seed")):
        details.append(_("seed %(seed)s") % {"seed": seed})
    return [detail for detail in details if detail]

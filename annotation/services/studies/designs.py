"""Pairs by design: which dialogues of which systems meet in which scenarios, and the making of what was planned."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models import Dialogue, Pair, Scenario, Study, System
from annotation.services.studies.making import change_study
from annotation.services.studies.pairs import Dialogues, add_pairs
from earshot.accounts.models import User
from earshot.estimation import designs

LARGEST = 20_000  # pairs that are made at a time


class Kind(TextChoices):
    ALL = "all", gettext_lazy("all pairs of systems in every scenario")
    REFERENCE = "reference", gettext_lazy("each system against a reference")
    BLOCKS = "blocks", gettext_lazy("balanced blocks: in each scenario only some of the systems or pairs")
    ADAPTIVE = "adaptive", gettext_lazy("adaptive: a small start; the rest stands by, and what tells most is lent")


@dataclass(frozen=True)
class Design:
    """What a researcher chose. Systems and the reference are primary keys."""

    kind: str
    systems: tuple[int, ...]
    reference: int | None = None
    systems_per_scenario: int | None = None  # of blocks: this …
    pairs_per_scenario: int | None = None  # … or that
    tags: tuple[str, ...] = ()  # scenarios with any of them; empty: all of the study's language
    scenarios_at_most: int | None = None  # drawn by the seed
    seed: int = 1

    def record(self, *, pairs: int, at: datetime) -> dict[str, Any]:
        """As Study.pair_designs keeps it: with the systems' names, so that it can be read in a year."""
        names = dict(System.objects.filter(pk__in=self.systems).values_list("pk", "name"))
        chosen = {
            "design": self.kind,
            "systems": sorted(names.values()),
            "reference": names.get(self.reference or 0),
            "systems_per_scenario": self.systems_per_scenario,
            "pairs_per_scenario": self.pairs_per_scenario,
            "tags": list(self.tags),
            "scenarios_at_most": self.scenarios_at_most,
            "seed": self.seed,
        }
        return {name: value for name, value in chosen.items() if value} | {"pairs": pairs, "at": at.isoformat()}


@dataclass(frozen=True)
class Spoken:
    """A dialogue as designs need it, by primary keys."""

    dialogue: int
    system: int
    seconds: float


@dataclass(frozen=True)
class Planned:
    scenario: int
    a: Spoken
    b: Spoken

    @property
    def seconds(self) -> float:
        return self.a.seconds + self.b.seconds


@dataclass(frozen=True)
class Plan:
    """The pairs that a design would add to a study; those that it has already, in either order, are left out."""

    design: Design
    pairs: list[Planned]
    n_known: int = 0  # of the design, that the study has already
    n_start: int = 0  # of an adaptive design: so many give a first picture, in which all systems are connected
    system_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def meetings(self) -> Counter[tuple[int, int]]:
        """How often each two systems meet in it; systems by primary key, the smaller first."""
        return Counter((min(one, other), max(one, other)) for one, other in self._systems())

    def _systems(self) -> Iterable[tuple[int, int]]:
        return ((pair.a.system, pair.b.system) for pair in self.pairs)


Meeting = tuple[int, int, int]  # scenario, two systems, all by primary key
ByScenario = dict[int, dict[int, list[Spoken]]]  # scenario → system → dialogues


def plan_design(study: Study, design: Design) -> Plan:
    """Which pairs would be new.

    Raises:
        ValidationError: if no such design can be, or it is larger than can be made at a time.
    """
    spoken = _spoken(study, design)
    meetings, n_start = _meetings(design, spoken)
    known = {(min(pair), max(pair)) for pair in _regular_pairs(study)}
    planned, n_known, places = [], 0, {system: place for place, system in enumerate(sorted(design.systems))}
    met: Counter[tuple[int, int]] = Counter()
    for scenario, one, other in meetings:
        for a, b in product(spoken[scenario][one], spoken[scenario][other]):
            if (min(a.dialogue, b.dialogue), max(a.dialogue, b.dialogue)) in known:
                n_known += 1
                continue
            # Which one is called a alternates, between systems and from one meeting of two systems to the next.
            is_turned = (places[one] + places[other] + met[one, other]) % 2 == 0
            met[one, other] += 1
            planned.append(Planned(scenario, b, a) if is_turned else Planned(scenario, a, b))
    _refuse_too_many(len(planned))
    return Plan(design, planned, n_known, n_start, dict(System.objects.filter(pk__in=places).values_list("pk", "name")))


def _meetings(design: Design, spoken: Mapping[Any, Iterable[Any]]) -> tuple[list[Meeting], int]:
    """Which systems meet in which scenarios, and how many of them give an adaptive design its first picture."""
    if all(len(set(systems)) < 2 for systems in spoken.values()):
        return [], 0  # no scenario was spoken by two of them
    try:
        if design.kind == Kind.REFERENCE and design.reference is not None:
            return as_keys(designs.against_reference(spoken, design.reference)), 0
        if design.kind == Kind.BLOCKS and design.systems_per_scenario is not None:
            size, seed = design.systems_per_scenario, design.seed
            return as_keys(designs.balanced_blocks(spoken, systems_per_scenario=size, seed=seed)), 0
        if design.kind == Kind.BLOCKS and design.pairs_per_scenario is not None:
            size, seed = design.pairs_per_scenario, design.seed
            return as_keys(designs.balanced_pairs(spoken, pairs_per_scenario=size, seed=seed)), 0
        _refuse_too_many(sum(math.comb(len(set(systems)), 2) for systems in spoken.values()))
        if design.kind == Kind.ADAPTIVE:
            start, rest = designs.adaptive_start(spoken, seed=design.seed)
            return as_keys([*start, *rest]), len(start)
    except ValueError:  # in words of its own: the estimation knows no names, and speaks no language but English
        raise ValidationError(CANNOT_BE.get(Kind(design.kind), CANNOT_BE[Kind.BLOCKS])) from None
    return as_keys(designs.all_pairs(spoken)), 0


CANNOT_BE = {
    Kind.REFERENCE: gettext_lazy(
        "The reference has spoken none of these scenarios. Choose another one, or other scenarios."
    ),
    Kind.BLOCKS: gettext_lazy(
        "So few pairs leave systems without a chain of pairs to the others, and there could be no ranking of all. "
        "Choose more per scenario, or more scenarios."
    ),
    Kind.ADAPTIVE: gettext_lazy(
        "No chain of shared scenarios leads from each of these systems to the others, so there could be no ranking of "
        "all. Choose fewer systems, or import dialogues that answer the same scenarios."
    ),
}


def as_keys(meetings: Iterable[tuple[Any, Any, Any]]) -> list[Meeting]:
    """(scenario, the system of the smaller primary key, the other)."""
    return [(scenario, min(one, other), max(one, other)) for scenario, one, other in meetings]


def _regular_pairs(study: Study) -> "Iterable[tuple[int, int]]":
    return study.pairs.filter(kind=Pair.Kind.REGULAR).order_by().values_list("dialogue_a", "dialogue_b")


def _spoken(study: Study, design: Design) -> ByScenario:
    scenarios = Scenario.objects.filter(language=study.language, dialogues__system__in=design.systems)
    chosen = {
        pk
        for pk, tags in scenarios.distinct().values_list("pk", "tags")
        if not design.tags or set(tags) & set(design.tags)
    }
    rows = Dialogue.objects.filter(system__in=design.systems, scenario__language=study.language)
    found: ByScenario = {}
    for scenario, system, dialogue, seconds in rows.order_by("scenario_id", "system_id", "pk").values_list(
        "scenario_id", "system_id", "pk", "seconds"
    ):
        if scenario in chosen:
            found.setdefault(scenario, {}).setdefault(system, []).append(Spoken(dialogue, system, seconds))
    return _draw_scenarios(found, design)


def _draw_scenarios(found: ByScenario, design: Design) -> ByScenario:
    shared = [scenario for scenario, systems in found.items() if len(systems) > 1]
    if design.scenarios_at_most is None or len(shared) <= design.scenarios_at_most:
        return found
    return {
        scenario: found[scenario] for scenario in random.Random(design.seed).sample(shared, design.scenarios_at_most)
    }


def _refuse_too_many(n_pairs: int) -> None:
    if n_pairs > LARGEST:
        raise ValidationError(
            _(
                "These are %(n)d pairs; at most %(most)d can be made at a time. Choose fewer systems or scenarios, or "
                "balanced blocks."
            )
            % {"n": n_pairs, "most": LARGEST}
        )


def make_design(study: Study, plan: Plan, *, by: User | None, at: datetime) -> list[Pair]:
    """Make the planned pairs and keep with the study how they came about. Of an adaptive design the lending is so, too.

    Raises:
        ValidationError: as `add_pairs`.
    """
    record = plan.design.record(pairs=len(plan.pairs), at=at) | ({"start": plan.n_start} if plan.n_start else {})
    made = add_pairs(study, dialogues_of(plan), by=by, design=record)
    if plan.design.kind == Kind.ADAPTIVE and study.selection != Study.Selection.ADAPTIVE:
        study.selection = Study.Selection.ADAPTIVE
        change_study(study, changed=["selection"], by=by)
    return made


def dialogues_of(plan: Plan) -> list[Dialogues]:
    wanted = {side.dialogue for pair in plan.pairs for side in (pair.a, pair.b)}
    found = {row.pk: row for row in Dialogue.objects.select_related("scenario").filter(pk__in=wanted)}
    return [(found[pair.a.dialogue], found[pair.b.dialogue]) for pair in plan.pairs]


def plan_pairs(study: Study, systems: Iterable[System], *, reference: System | None = None) -> list[Dialogues]:
    """All pairs of these systems in every scenario that would be new, or each system against a reference."""
    kind = Kind.ALL if reference is None else Kind.REFERENCE
    chosen = tuple(system.pk for system in systems)
    return dialogues_of(plan_design(study, Design(kind, chosen, reference.pk if reference else None)))

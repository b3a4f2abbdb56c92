"""What planned pairs cost: votes, checks, hours, sittings; and what speaks against them. Nothing is made for it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Pair, Study
from annotation.services.studies.designs import Kind, Plan

ANSWERING_SECONDS = 60  # about, for the questions of a pair; added to its listening
SITTING_SECONDS = 45 * 60  # then a break is offered


@dataclass(frozen=True)
class Cost:
    n_pairs: int
    n_scenarios: int
    n_votes: int  # pairs × overlap
    n_checks: int  # lent among them, at the study's check rate
    listening_hours: float  # both sides once, for every vote and check
    hours: float  # with the answering
    n_raters: int

    @property
    def hours_each(self) -> float:
        return self.hours / self.n_raters

    @property
    def sittings_each(self) -> int:
        return math.ceil(self.hours_each * 3600 / SITTING_SECONDS)

    @property
    def listening(self) -> str:
        return duration(self.listening_hours)

    @property
    def working(self) -> str:
        return duration(self.hours)

    @property
    def working_each(self) -> str:
        return duration(self.hours_each)


def duration(hours: float) -> str:
    """In words: hours with one decimal, below one hour whole minutes, rounded up."""
    if hours >= 1:
        return _("%(n).1f hours") % {"n": hours}
    minutes = math.ceil(hours * 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def cost_of(study: Study, plan: Plan, *, n_raters: int) -> Cost:
    n_votes = len(plan.pairs) * study.overlap
    seconds = sum(pair.seconds for pair in plan.pairs) * study.overlap
    n_checks = round(n_votes * study.check_rate / (1 - study.check_rate))
    listening = seconds * (1 + n_checks / n_votes) if n_votes else 0.0  # a check is about as long as a pair
    return Cost(
        n_pairs=len(plan.pairs),
        n_scenarios=len({pair.scenario for pair in plan.pairs}),
        n_votes=n_votes,
        n_checks=n_checks,
        listening_hours=listening / 3600,
        hours=(listening + (n_votes + n_checks) * ANSWERING_SECONDS) / 3600,
        n_raters=n_raters,
    )


def meetings_in_words(plan: Plan) -> str:
    """How often two systems meet in the new pairs: a sentence."""
    counts = plan.meetings.values()
    n_systems = len(plan.system_names)
    against_one = plan.design.kind == Kind.REFERENCE
    if not counts:
        return ""
    fewest, most = min(counts), max(counts)
    if len(counts) < (n_systems - 1 if against_one else math.comb(n_systems, 2)):
        fewest = 0
    numbers = {"fewest": fewest, "most": most}
    if against_one and fewest == most:
        words = ngettext(
            "The reference meets each in %(most)d pair.", "The reference meets each in %(most)d pairs.", most
        )
        return words % numbers
    if against_one:
        return _("The reference meets each in %(fewest)d to %(most)d pairs.") % numbers
    if fewest == most:
        words = ngettext("Each two systems meet in %(most)d pair.", "Each two systems meet in %(most)d pairs.", most)
        return words % numbers
    return _("Each two systems meet in %(fewest)d to %(most)d pairs.") % numbers


def cautions(study: Study, plan: Plan, cost: Cost) -> Iterator[str]:
    """What a researcher should know before the pairs are made, each with a remedy."""
    apart = _systems_apart(study, plan)
    if apart:
        yield _(
            "No chain of pairs leads from %(systems)s to the other systems, so there could be no ranking of all. Add "
            "pairs between them."
        ) % {"systems": ", ".join(apart)}
    if cost.n_raters < study.overlap:
        yield _("%(n)d raters cannot give a pair %(overlap)d judgments: each judges a pair once. Add people.") % {
            "n": cost.n_raters,
            "overlap": study.overlap,
        }
    yield from _beyond_budget(study, plan, cost)
    n_first = plan.n_start * study.overlap
    if study.judgments_at_most is not None and study.judgments_at_most < n_first:
        yield _("A first picture of all systems takes %(n)d votes; the budget is %(most)d. Raise it.") % {
            "n": n_first,
            "most": study.judgments_at_most,
        }
    ends = study.judgments_at_most, study.hours_at_most, study.half_width_enough
    if plan.design.kind == Kind.ADAPTIVE and not any(ends):
        yield _(
            "Nothing ends this study before every pair is judged, so adaptive lending saves nothing. Set a budget, or "
            "a width that is enough, in Settings."
        )


def _beyond_budget(study: Study, plan: Plan, cost: Cost) -> Iterator[str]:
    before = study.pairs.filter(kind=Pair.Kind.REGULAR)
    n_votes = cost.n_votes + before.count() * study.overlap
    is_adaptive = plan.design.kind == Kind.ADAPTIVE  # its budget is meant to end it before all is judged
    if study.judgments_at_most is not None and n_votes > study.judgments_at_most and not is_adaptive:
        yield _(
            "With these the pairs of the study want %(n)d judgments; its budget is %(most)d. The rest is never judged. "
            "Choose fewer pairs, or raise the budget."
        ) % {"n": n_votes, "most": study.judgments_at_most}
    if study.hours_at_most is not None:
        sums = before.aggregate(seconds=Sum(F("dialogue_a__seconds") + F("dialogue_b__seconds")))
        hours = cost.listening_hours + (sums["seconds"] or 0.0) * study.overlap / 3600
        if hours > study.hours_at_most and not is_adaptive:
            yield _(
                "With these the pairs of the study take %(n).1f hours of listening; its budget is %(most).1f. Choose "
                "fewer pairs, or raise the budget."
            ) % {"n": hours, "most": study.hours_at_most}
    if study.pairs_per_rater is not None and cost.n_raters * study.pairs_per_rater < n_votes and not is_adaptive:
        yield _(
            "%(raters)d raters with at most %(each)d pairs each give %(given)d of the %(n)d judgments. Add people, or "
            "raise the limit."
        ) % {
            "raters": cost.n_raters,
            "each": study.pairs_per_rater,
            "given": cost.n_raters * study.pairs_per_rater,
            "n": n_votes,
        }


def _systems_apart(study: Study, plan: Plan) -> list[str]:
    """Names of the chosen systems that no chain of pairs, old or new, connects with the first."""
    links = {*plan.meetings, *_links_before(study)}
    chosen = sorted(plan.system_names)
    reached, waiting = {chosen[0]} if chosen else set(), chosen[:1]
    while waiting:
        system = waiting.pop()
        beside = {two for link in links if system in link for two in link} - reached
        reached |= beside
        waiting += beside
    return sorted(name for system, name in plan.system_names.items() if system not in reached)


def _links_before(study: Study) -> Iterator[tuple[int, int]]:
    rows = study.pairs.filter(kind=Pair.Kind.REGULAR).order_by()
    yield from rows.values_list("dialogue_a__system", "dialogue_b__system").distinct()

"""What a researcher should look at before believing a number. An alarm says what was seen and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models import Study
from annotation.queries.statistics.agreement import estimate_words, halo_sentence
from annotation.queries.statistics.plots import interval_words
from annotation.queries.statistics.reasons import cannot_say
from earshot.estimation.boards import SIDE_ALARM
from earshot.estimation.estimates import Estimate, wilson
from earshot.estimation.halo import TOO_MUCH

PLANNED_EXCLUSIONS = 0.12  # 41,873 of 357,651 in one public collection
MOST_UNKNOWN = 0.2  # of judgments on which a check could not run
CHECK_NAMES = {"listening": gettext_lazy("how much was heard"), "stalls": gettext_lazy("stalls of the sound")}


@dataclass(frozen=True)
class Alarm:
    title: str
    text: str
    is_raised: bool
    is_known: bool = True  # False: it cannot be said yet whether there is anything to look at


def alarms_of(study: Study, payload: Mapping[str, Any]) -> list[Alarm]:
    """Every alarm that there is, those that are raised first; of all judgments, whatever part of them is looked at."""
    found = [
        *(_side(each) for each in payload["dimensions"]),
        _exclusions(payload["left_out"]),
        _checks_that_could_not_run(study, payload),
        _no_checks(study, payload),
        _halo(payload["halo"]),
        _balance(payload["sides"], "a_left"),
        _balance(payload["sides"], "left_first"),
    ]
    return sorted(found, key=lambda alarm: not alarm.is_raised)


def _side(board: Mapping[str, Any]) -> Alarm:
    side, title = board["side_intercept"], _("Side, %(dimension)s") % {"dimension": board["name"]}
    if side is None or side["low"] is None or side["high"] is None:
        return Alarm(title, cannot_say(board["reason"] or "no votes"), False, is_known=False)
    is_raised = abs(side["value"]) > SIDE_ALARM
    words = interval_words(side["value"], side["low"], side["high"])
    sentence = _("The left side is favoured by %(value)s logits (alarm above %(limit)s).")
    text = sentence % {"value": words, "limit": SIDE_ALARM}
    if is_raised:
        text += " " + _("Look for raters who lean to one side, and for what makes a side easier to like on the page.")
    return Alarm(title, text, is_raised)


def _exclusions(left_out: Mapping[str, int]) -> Alarm:
    n_out, n = left_out["excluded"] + left_out["failed"], left_out["in_time"] - left_out["withdrawn"]
    share = wilson(n_out, n)
    is_raised = share.is_above(PLANNED_EXCLUSIONS)
    if share.value is None or share.low is None or share.high is None:
        return Alarm(_("Exclusions"), _("No judgments yet."), False, is_known=False)
    seen = _(
        "%(n)d of %(all)d judgments are left out (%(failed)d failed, %(excluded)d of excluded raters): %(value)s."
    ) % {
        "n": n_out,
        "all": n,
        "failed": left_out["failed"],
        "excluded": left_out["excluded"],
        "value": interval_words(share.value, share.low, share.high),
    }
    # xgettext:no-python-format
    advice = _("About 12 % is usual. Look whether a check is unfair, or the instructions are not clear.")
    return Alarm(_("Exclusions"), f"{seen} {advice}" if is_raised else seen, is_raised)


def _checks_that_could_not_run(study: Study, payload: Mapping[str, Any]) -> Alarm:
    title, n = _("Checks that could not run"), payload["n_by_people"]
    if study.is_simulated:
        return Alarm(title, _("Simulated raters listen to nothing, so no check of listening can run."), False)
    if study.listening_policy == Study.ListeningPolicy.NONE:
        return Alarm(title, _("The study records no listening, so how much was heard is not checked."), True)
    if not n:
        return Alarm(title, _("No judgments yet."), False, is_known=False)
    high = {name: count for name, count in payload["unknown"].items() if count > MOST_UNKNOWN * n}
    if not high:
        return Alarm(title, _("Every check ran on nearly all judgments."), False)
    names = ", ".join(
        _("%(check)s on %(n)d of %(all)d judgments") % {"check": CHECK_NAMES.get(name, name), "n": count, "all": n}
        for name, count in high.items()
    )
    return Alarm(
        title, _("Not known: %(names)s. Find out why before you believe these votes.") % {"names": names}, True
    )


def _no_checks(study: Study, payload: Mapping[str, Any]) -> Alarm:
    title, n = _("Checks among the pairs"), payload["n_checks"]
    if study.check_rate > 0 and payload["n"]["judgments"] and not n:
        return Alarm(
            title, _("The study asks for checks, but none was judged yet. Make checks on its page Checks."), True
        )
    if not n:
        return Alarm(
            title, _("The study lends no checks, so nothing tells a careful rater from one who guesses."), True
        )
    return Alarm(title, _("%(n)d checks were judged.") % {"n": n}, False)


def _halo(halo: Mapping[str, Any]) -> Alarm:
    sentence = halo_sentence({"halo": halo})
    found = Estimate(**halo["correlation"])
    words = sentence if found.low is None else f"{estimate_words(halo['correlation'])}. {sentence}"
    is_raised = bool(halo["is_too_much"])
    return Alarm(_("Halo"), words, is_raised, is_known=is_raised or found.is_below(TOO_MUCH))


def _balance(sides: Mapping[str, int], name: str) -> Alarm:
    words = {
        "a_left": (_("Sides"), _("Dialogue a stood on the left in %(k)d of %(n)d judgments: %(value)s.")),
        "left_first": (_("Order"), _("The left side was heard first in %(k)d of %(n)d judgments: %(value)s.")),
    }
    title, sentence = words[name]
    share = wilson(sides[name], sides["n"], confidence=0.999)  # looked at again and again
    if share.value is None or share.low is None or share.high is None:
        return Alarm(title, _("No judgments yet."), False, is_known=False)
    seen = sentence % {"k": sides[name], "n": sides["n"], "value": interval_words(share.value, share.low, share.high)}
    return Alarm(title, seen, not share.low <= 0.5 <= share.high)

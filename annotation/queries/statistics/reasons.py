"""Why something cannot be said yet, in the reader's language. The estimators say it in English (docs/ranking.md)."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

# Each sentence that the estimators may give, with %(a)s, %(b)s … where a name or a number stands in it.
REASONS = (
    gettext_noop("no votes"),
    gettext_noop("one system only"),
    gettext_noop("every vote is a tie"),
    gettext_noop("no chain of votes connects %(a)s with %(b)s"),
    gettext_noop("%(a)s never lost to another system, so how far ahead it is cannot be known yet"),
    gettext_noop("the votes that there are fit one way too well: some distance has no upper bound yet"),
    gettext_noop("votes of %(a)s raters; an interval needs %(b)s or more"),
    gettext_noop("votes on %(a)s scenarios; an interval needs %(b)s or more"),
    gettext_noop("votes on %(a)s groups of pairs; an interval needs %(b)s or more"),
    gettext_noop("decided votes on %(a)s groups of pairs; an interval needs %(b)s or more"),
    gettext_noop("%(a)s cannot be told apart from which systems were compared"),
    gettext_noop("no pair has two votes"),
    gettext_noop("no pair has two decided votes"),
    gettext_noop("undefined: everyone agreed that all pairs are alike"),
    gettext_noop("all disagreement is in one group of pairs"),
    gettext_noop("all pairs with two votes are in one group of pairs"),
    gettext_noop("none yet"),
    gettext_noop("no repeats"),
    gettext_noop("no repeats, or all votes were 0"),
    gettext_noop("no two votes on one pair differ in two dimensions"),
    gettext_noop("from %(a)s raters; an interval needs %(b)s or more"),
    gettext_noop("no judgment has answers in two dimensions"),
    gettext_noop("no votes on pairs that others judged too"),
    gettext_noop("all parts of the votes give the same figure, so nothing tells how far it may be off"),
    gettext_noop("fewer than %(a)s judgments on pairs that others judged too"),
    gettext_noop("not foreseeable: no votes go to these two at present"),
    gettext_noop("not foreseeable: the difference is within the noise"),
)
PATTERNS = [
    (re.compile(re.sub(r"%\\\((\w)\\\)s", r"(?P<\1>.+?)", re.escape(reason)) + r"\Z"), reason) for reason in REASONS
]


def for_reader(reason: str) -> str:
    """The reason in the reader's language; as it is, where it is a sentence that we do not know."""
    for pattern, known in PATTERNS:
        if found := pattern.match(reason):
            return _(known) % found.groupdict()
    return reason


def cannot_say(reason: str) -> str:
    return _("Cannot say yet: %(reason)s.") % {"reason": for_reader(reason)}

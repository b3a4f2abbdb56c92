"""Checks: pairs whose right answer is known, made from the study's own dialogues. See docs/quality.md.

treating: what is done to one side. making: which checks, and the job. lending: which of them a rater may have.
declared: regular pairs that researchers take for gold; taking checks out.
"""

from annotation.services.checks.declared import declare_gold, put_back, take_out
from annotation.services.checks.lending import open_checks, repeat_for, sides_of_repeat
from annotation.services.checks.making import (
    CHECK_SEATS,
    KIND,
    MADE,
    Numbers,
    default_numbers,
    make_checks,
    request_at_start,
    request_checks,
    run_checks,
    unfinished_job,
)

__all__ = [
    "CHECK_SEATS",
    "KIND",
    "MADE",
    "Numbers",
    "declare_gold",
    "default_numbers",
    "make_checks",
    "open_checks",
    "put_back",
    "repeat_for",
    "request_at_start",
    "request_checks",
    "run_checks",
    "sides_of_repeat",
    "take_out",
    "unfinished_job",
]

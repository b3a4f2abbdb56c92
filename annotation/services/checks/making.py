"""Which checks a study gets, and the job that makes them. Safe to kill at any moment and to run again."""

import math
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.material.wishes import WISHES, speaks
from annotation.models import Dialogue, Pair, Study
from annotation.services import renditions
from annotation.services.checks import treating
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob

KIND = "annotation.make_checks"
MADE = (Pair.Kind.GOLD, Pair.Kind.IDENTICAL, Pair.Kind.SPOKEN_CHECK)  # ahead; repeats are made when they are lent
CHECK_SEATS = 1_000_000  # a check is for every rater, and counts towards no overlap
GOLD_VALUE = 3  # much better on the side that was left as it was; right within one step
MOST_OF_A_KIND = 12  # made without being asked
MOST_ASKED = 200  # of a kind at once


@dataclass(frozen=True)
class Numbers:
    """How many checks of each kind."""

    n_gold: int = 0
    n_identical: int = 0
    n_spoken: int = 0

    @property
    def total(self) -> int:
        return self.n_gold + self.n_identical + self.n_spoken


@dataclass(frozen=True)
class Planned:
    """One check before it is made. `key` is the same for the same seed, so that no attempt makes it twice."""

    key: str
    kind: str
    of: Pair
    letter: str  # the side that is treated; of an identical check, the dialogue that is set against itself
    how: str = ""  # flat, unsteady; which wish


def default_numbers(study: Study) -> Numbers:
    """As many as one rater meets at the study's check rate, a quarter of each kind (the last quarter are repeats)."""
    n_regular = _regular(study).count()
    if not n_regular or not study.check_rate:
        return Numbers()
    own = min(n_regular, study.pairs_per_rater or n_regular)
    met = own * study.check_rate / (1 - study.check_rate)
    each = min(MOST_OF_A_KIND, n_regular, max(1, math.ceil(met / 4)))
    return Numbers(each, each, each if speaks(study.language) else 0)


def request_checks(study: Study, numbers: Numbers, *, by: User | None, seed: int | None = None) -> Job:
    """Hand the making of checks to a worker.

    Raises:
        ValidationError: if none or too many are asked for, the study has no pairs, is finished, is simulated, speaks a
            language that the wishes were not recorded in, or checks of it are being made already.
    """
    _refuse(study, numbers)
    if unfinished_job(study) is not None:
        raise ValidationError(_("Checks of this study are being made already. Wait until they stand, then make more."))
    arguments = {"study": study.pk, "seed": secrets.randbelow(2**31) if seed is None else seed, **asdict(numbers)}
    return jobs.enqueue(KIND, arguments, title=f"Checks of {study}"[:200], created_by=by)


def request_at_start(study: Study, *, by: User | None) -> Job | None:
    """The usual checks of a study that starts without any; None where it wants none, or nobody would hear them."""
    has_some = study.pairs.filter(kind__in=MADE).exists() or unfinished_job(study) is not None
    numbers = default_numbers(study)
    if study.is_simulated or has_some or not numbers.total:
        return None
    return request_checks(study, numbers, by=by)


def unfinished_job(study: Study) -> Job | None:
    waiting = Job.objects.filter(kind=KIND, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    return waiting.filter(arguments__study=study.pk).first()


def _refuse(study: Study, numbers: Numbers) -> None:
    if study.state == Study.State.FINISHED:
        raise ValidationError(_("Study '%(study)s' is finished and takes no more checks. Copy it.") % {"study": study})
    if study.is_simulated:
        raise ValidationError(_("Simulated raters hear nothing, so a simulated study takes no checks."))
    asked = asdict(numbers).values()
    if numbers.total == 0 or min(asked) < 0 or max(asked) > MOST_ASKED:
        raise ValidationError(_("Ask for 1 to %(most)d checks of a kind.") % {"most": MOST_ASKED})
    if numbers.n_spoken and not speaks(study.language):
        raise ValidationError(
            _("The voice of a spoken check speaks English, Japanese and Chinese, not '%(language)s'. Ask for none.")
            % {"language": study.language}
        )
    if not _regular(study).exists():
        raise ValidationError(
            _("Study '%(study)s' has no pairs yet to make checks of. Add pairs first.") % {"study": study}
        )


def run_checks(held: RunningJob) -> list[Pair]:
    """Make what the job asks for; what an attempt before made stays."""
    study = Study.objects.get(pk=held.arguments["study"])
    asked = {name: held.arguments[name] for name in ("n_gold", "n_identical", "n_spoken")}
    made = make_checks(study, **asked, seed=held.arguments["seed"], by=held.job.created_by, held=held)
    held.result = {"made": len(made)}
    held.write_log(f"{len(made)} checks made.")
    return made


def make_checks(
    study: Study,
    *,
    n_gold: int,
    n_identical: int,
    n_spoken: int,
    seed: int,
    by: User | None = None,
    held: RunningJob | None = None,
) -> list[Pair]:
    """Make checks from the study's own regular pairs; the same seed on the same pairs gives the same checks.

    Raises:
        ValidationError: as `request_checks`.
        ValueError: if a dialogue has no reply to make worse, or no sound.
    """
    numbers = Numbers(n_gold, n_identical, n_spoken)
    _refuse(study, numbers)
    made = []
    known = set(study.pairs.filter(kind__in=MADE).values_list("treatment__key", flat=True))
    for number, planned in enumerate(plan_checks(study, numbers, seed=seed)):
        if held is not None:
            held.report(number / numbers.total, f"Making check {number + 1} of {numbers.total}")
        if planned.key in known:
            continue
        check = _made(planned, study)
        with transaction.atomic():
            if held is not None:
                held.lock()
            check.save()
        renditions.ensure_sounds(check)
        made.append(check)
    if made:
        record_action(by, "study.checks_made", study, **dict(Counter(check.kind for check in made)))
    return made


def plan_checks(study: Study, numbers: Numbers, *, seed: int) -> list[Planned]:
    """Spread over the scenarios; sides by chance, as often one as the other."""
    dice = random.Random(f"checks:{seed}")
    planned = []
    wanted = (
        (Pair.Kind.GOLD, numbers.n_gold, treating.worse_kinds(study.language)),
        (Pair.Kind.IDENTICAL, numbers.n_identical, [""]),
        (Pair.Kind.SPOKEN_CHECK, numbers.n_spoken, list(WISHES)),
    )
    for kind, count, ways in wanted:
        sources = _spread(study, dice) if count else iter(())
        letters, hows = _evenly(["a", "b"], count, dice), _evenly(ways, count, dice)
        planned += [
            Planned(f"{seed}:{kind}:{number}", str(kind), next(sources), letters[number], hows[number])
            for number in range(count)
        ]
    return planned


def _evenly(choices: Sequence[str], count: int, dice: random.Random) -> list[str]:
    drawn = [choices[number % len(choices)] for number in range(count)]
    dice.shuffle(drawn)
    return drawn


def _spread(study: Study, dice: random.Random) -> Iterator[Pair]:
    """Regular pairs without end, each scenario once before any comes again."""
    of_scenario: dict[int, list[int]] = {}
    for scenario, pair in _regular(study).order_by("pk").values_list("scenario", "pk"):
        of_scenario.setdefault(scenario, []).append(pair)
    while True:
        for scenario in dice.sample(sorted(of_scenario), len(of_scenario)):
            whole = Pair.objects.select_related("scenario", "dialogue_a", "dialogue_b")
            yield whole.get(pk=dice.choice(of_scenario[scenario]))


def _regular(study: Study) -> Any:
    return study.pairs.filter(kind=Pair.Kind.REGULAR)


def _made(planned: Planned, study: Study) -> Pair:
    """The check with its sound made, not yet stored."""
    dice = random.Random(planned.key)
    letter, sign = planned.letter, 1 if planned.letter == "a" else -1
    if planned.kind == Pair.Kind.IDENTICAL:
        dialogue = planned.of.dialogue(letter)
        return _check(planned, study, expected=0, sides=(dialogue, dialogue), level=round(dialogue.level_lufs, 1))
    if planned.kind == Pair.Kind.GOLD:
        treated, expected = treating.make_worse(planned.of, letter, planned.how, dice), -sign * GOLD_VALUE
    else:
        treated = treating.say_wish(planned.of, letter, planned.how, study.language, dice)
        expected = sign * WISHES[planned.how]
    return _check(planned, study, expected=expected, treatment=treated.treatment, level=treated.level_lufs)


def _check(
    planned: Planned,
    study: Study,
    *,
    expected: int,
    level: float,
    sides: tuple[Dialogue, Dialogue] | None = None,
    treatment: dict[str, Any] | None = None,
) -> Pair:
    one, other = sides or (planned.of.dialogue_a, planned.of.dialogue_b)
    return Pair(
        study=study,
        scenario=planned.of.scenario,
        dialogue_a=one,
        dialogue_b=other,
        kind=planned.kind,
        check_of=planned.of,
        expected_value=expected,
        treatment={"key": planned.key, **(treatment or {})},
        level_lufs=level,
        seats_left=CHECK_SEATS,
    )

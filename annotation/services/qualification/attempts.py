"""Taking a step: begin, answer trial after trial, and the verdict. Right answers never leave the server unasked."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotation.material import material_language
from annotation.models import Attempt, Step, Study, TrialAnswer
from annotation.queries.wording import title_for_reader
from annotation.services.qualification import rules
from annotation.services.qualification.standing import standing_of
from annotation.services.qualification.trials import Trial, trials_of
from earshot.accounts.models import User


def begin(user: User, study: Study, step: Step, *, at: datetime) -> Attempt:
    """A new attempt, with a new seed; the one that is open already, if there is one.

    Raises:
        ValidationError: without consent, before its turn, while it holds, or before it may be tried again.
    """
    standing = standing_of(user, study, at=at)
    found = next((each for each in standing.steps if each.step == step), None)
    if found is None:
        raise ValidationError(_("Study '%(study)s' does not ask for this step.") % {"study": title_for_reader(study)})
    if standing.needs_consent:
        raise ValidationError(standing.problem())
    if found.state == "open" and found.last is not None:
        return _go_on(found.last, study)
    if found.state == "passed":
        raise ValidationError(_("%(step)s: passed already.") % {"step": step.label})
    if found.state == "wait" and found.until is not None:
        raise ValidationError(
            _("%(step)s can be tried again after %(time)s UTC.")
            % {"step": step.label, "time": found.until.strftime("%Y-%m-%d %H:%M")}
        )
    if standing.next_step is not None and standing.next_step is not found:
        first = standing.next_step.step.label
        raise ValidationError(_("One step after the other: %(step)s comes first.") % {"step": first})
    return _start(user, study, step, at=at)


def _go_on(attempt: Attempt, study: Study) -> Attempt:
    """The same trials; where they were begun for another study, their pages now lead into this one."""
    if attempt.study_id != study.pk:
        attempt.study = study
        attempt.save(update_fields=["study"])
    return attempt


def _start(user: User, study: Study, step: Step, *, at: datetime) -> Attempt:
    language = material_language(study.language)
    n_trials = rules.RULES[step].n_trials
    try:
        with transaction.atomic():
            return Attempt.objects.create(
                user=user, study=study, step=step, language=language, started_at=at, n_trials=n_trials
            )
    except IntegrityError:  # another tab was first: its attempt is the one
        return Attempt.objects.get(user=user, step=step, language=language, ended_at__isnull=True)


@dataclass(frozen=True)
class Current:
    """Where an attempt stands: the trial to answer, or None at its end; and the answer before, for the training."""

    number: int  # of the trial, from 0
    trial: Trial | None
    before: TrialAnswer | None


def current_trial(attempt: Attempt) -> Current:
    answers = list(attempt.answers.order_by("number"))
    number = len(answers)
    trial = trials_of(attempt)[number] if number < attempt.n_trials and attempt.ended_at is None else None
    return Current(number, trial, answers[-1] if answers else None)


@transaction.atomic
def answer(attempt: Attempt, number: int, given: str, *, at: datetime) -> TrialAnswer:
    """Judge the answer to a trial and keep it. The same trial again, from another tab or a reload, changes nothing.

    Raises:
        ValidationError: for an answer that is none, or a trial whose turn has not come.
    """
    attempt = Attempt.objects.select_for_update().get(pk=attempt.pk)
    kept = attempt.answers.filter(number=number).first()
    if kept is not None:
        return kept
    if attempt.ended_at is not None or number != attempt.answers.count():
        raise ValidationError(_("This trial is not the one to answer now. Go on with the one that is shown."))
    trial = trials_of(attempt)[number]
    given = given.strip()
    if problem := trial.problem(given):
        raise ValidationError(problem)
    is_right = trial.is_right(given)
    stored = TrialAnswer.objects.create(attempt=attempt, number=number, answer=given, is_right=is_right, answered_at=at)
    attempt.n_right += is_right
    if number + 1 == attempt.n_trials:
        attempt.ended_at = at
        attempt.passed = attempt.n_right >= rules.RULES[Step(attempt.step)].n_right
    attempt.save(update_fields=["n_right", "ended_at", "passed"])
    return stored

"""Somebody on the way to their first pair: consent given, steps passed, without listening to anything."""

from datetime import timedelta

from annotation.material import material_language
from annotation.models import Attempt, Step, Study
from annotation.services.qualification import attempts, consent
from annotation.services.qualification.rules import RULES, steps_of
from annotation.services.qualification.trials import Trial, trials_of
from earshot.accounts.models import User
from tests.factories import NOW, join, make_pair, make_study


def make_entry_study(entry: str = "full", *, n_pairs: int = 1, **fields) -> Study:
    study = make_study(entry=entry, **fields)
    for _each in range(n_pairs):
        make_pair(study)
    return study


def make_consenting(study: Study, *, at=NOW, user: User | None = None) -> User:
    user = join(study, user)
    consent.give_consent(user, study, at=at)
    return user


def passed(
    user: User, study: Study, step: Step, *, at=NOW, is_passed: bool = True, n_right: int | None = None
) -> Attempt:
    """An attempt that ended at `at`, as if its trials had been taken."""
    rule = RULES[step]
    return Attempt.objects.create(
        user=user,
        study=study,
        step=step,
        language=material_language(study.language),
        started_at=at - timedelta(minutes=1),
        ended_at=at,
        n_trials=rule.n_trials,
        n_right=n_right if n_right is not None else rule.n_trials * is_passed,
        passed=is_passed,
    )


def make_qualified(study: Study, *, at=NOW, user: User | None = None) -> User:
    """An annotator to whom pairs may be lent."""
    user = make_consenting(study, at=at, user=user)
    for step in steps_of(study):
        passed(user, study, step, at=at)
    return user


def right_answer(attempt: Attempt, number: int) -> str:
    """An answer that counts as right. Typed digits are found by trying: only the server knows them."""
    trial = trials_of(attempt)[number]
    return next(each for each in candidates(trial) if trial.is_right(each))


def wrong_answer(attempt: Attempt, number: int) -> str:
    trial = trials_of(attempt)[number]
    return next(each for each in candidates(trial) if not trial.is_right(each))


def candidates(trial: Trial) -> list[str]:
    return [option.value for option in trial.options] or [f"{number:03}" for number in range(1000)]


def take(attempt: Attempt, *, n_right: int, at=NOW) -> Attempt:
    """Answer every trial, the first `n_right` of them rightly."""
    for number in range(attempt.n_trials):
        given = right_answer(attempt, number) if number < n_right else wrong_answer(attempt, number)
        attempts.answer(attempt, number, given, at=at)
    attempt.refresh_from_db()
    return attempt

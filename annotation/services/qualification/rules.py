"""The numbers of becoming an annotator. Sources: docs/becoming-an-annotator.md."""

from dataclasses import dataclass
from datetime import timedelta

from annotation.models import Step, Study

QUALIFICATION = timedelta(days=30)  # hearing, training and test pairs hold so long
DEVICE_CHECK = timedelta(hours=12)  # headphones and volume: one day's session, and never beyond a sign-in
AWAY = timedelta(days=7)  # without a judgment; then the training is refreshed
WAIT = timedelta(minutes=10)  # after a failed check of device or hearing
GOLD_WAIT = timedelta(hours=24)
GOLD_ATTEMPTS = 3  # within QUALIFICATION


@dataclass(frozen=True)
class StepRule:
    n_trials: int
    n_right: int  # to pass
    of_session: bool = False  # holds for a session on one device, else for QUALIFICATION
    of_language: bool = False  # passed in one language it says nothing of another
    minutes: int = 1  # that it takes, about


RULES = {
    Step.CHANNELS: StepRule(5, 4, of_session=True),  # one slip of the finger; mono or swapped sides get 1 at most
    Step.HEADPHONES: StepRule(6, 5, of_session=True),
    Step.LEVEL: StepRule(1, 1, of_session=True),
    Step.DIGITS: StepRule(5, 3, of_language=True),
    Step.DIFFERENCES: StepRule(4, 2),
    Step.TRAINING: StepRule(3, 0, of_language=True, minutes=3),  # to learn by: every answer is told, none fails
    Step.GOLD: StepRule(4, 3, of_language=True, minutes=3),
}
DEVICE_STEPS = (Step.CHANNELS, Step.HEADPHONES, Step.LEVEL, Step.DIGITS, Step.DIFFERENCES)
STEPS = {
    Study.Entry.NONE: (),
    Study.Entry.DEVICE: DEVICE_STEPS,
    Study.Entry.FULL: (*DEVICE_STEPS, Step.TRAINING, Step.GOLD),
}


def steps_of(study: Study) -> tuple[Step, ...]:
    """The steps that the study asks of people, in their order."""
    return STEPS[Study.Entry(study.entry)]

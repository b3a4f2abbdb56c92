"""Writes of the second floor: asking for a reward model, training it, registering it. See docs/rounds.md."""

from rewardmodel.services.estimates import estimate_run
from rewardmodel.services.runs import KIND, request_run
from rewardmodel.services.training import run_training

__all__ = ["KIND", "estimate_run", "request_run", "run_training"]

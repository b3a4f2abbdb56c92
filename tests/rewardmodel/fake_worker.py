"""Earshot's Celery app whose jobs start the fake program: `celery -A tests.rewardmodel.fake_worker worker`."""

from earshot.celery import app  # noqa: F401  Celery looks for it here
from earshot.jobs import programs
from tests.rewardmodel.fake_program import fake_command

programs.command = fake_command
programs.require_learning_side = lambda: None

"""The life of a job: enqueue, claim, report, finish, cancel, retry, reap.

    queued ──claim──► running ──finish──► succeeded | failed | cancelled
      ▲                  │ silent for JOB_SILENCE_SECONDS        │
      ├──── reap ────────┘  with the next fencing number         │
      └──── retry, by a person, with the next fencing number ────┘  (not after succeeded)

Whoever runs a job holds a fencing number. Every write is a conditional UPDATE on it, so a worker that was only
asleep, and whose job was given to another, changes nothing any more and is told so by `Superseded`.
"""

from earshot.jobs.services.lifecycle import cancel, claim, enqueue, reap, refuse, requeue, retry, send
from earshot.jobs.services.running import Cancelled, RunningJob, Superseded, running

__all__ = [
    "Cancelled",
    "RunningJob",
    "Superseded",
    "cancel",
    "claim",
    "enqueue",
    "reap",
    "refuse",
    "requeue",
    "retry",
    "running",
    "send",
]

"""What a Celery worker does beyond Celery: its processes die with it, and a task it does not know fails its job."""

import ctypes
import logging
import os
import signal
import sys
from typing import Any
from uuid import UUID

from billiard.process import current_process
from celery import current_app
from celery.signals import task_unknown, worker_process_init

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@worker_process_init.connect  # type: ignore[untyped-decorator]
def die_with_the_worker(**_: Any) -> None:
    """After `kill -9` of a worker its processes would run on and hold their jobs. Linux: the kernel ends them with it.

    Elsewhere they end at their next report, as `Superseded`. The kernel watches the parent's *thread* that forked;
    that of the filesystem transport ends early in a warm shutdown, so a process that replaced a crashed one may be
    killed there, and the reaper brings its job back.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != current_process()._parent_pid:  # it died before we asked: nobody will tell us any more
        os.kill(os.getpid(), signal.SIGKILL)


@task_unknown.connect  # type: ignore[untyped-decorator]
def refuse_unknown_task(*, message: Any, name: str, **_: Any) -> None:
    """Have a task fail the job: this is the worker's own process, which must not open the database before it forks."""
    body = message.payload  # protocol 2: (args, kwargs, options)
    args = body[0] if isinstance(body, list | tuple) and body else []
    if len(args) != 2 or not isinstance(args[1], int) or not _is_job_id(args[0]):
        log.error("The unknown task %r carries no job and is dropped.", name)
        return
    current_app.send_task("jobs.refuse", args=[args[0], args[1], name], queue=current_app.conf.task_default_queue)


def _is_job_id(value: Any) -> bool:
    try:
        return bool(str(UUID(value)) == value)
    except (ValueError, TypeError, AttributeError):
        return False

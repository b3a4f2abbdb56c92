import json
from typing import Any

from earshot.accounts.models import User
from earshot.jobs.models import Job, JobLogLine, JobMetric

LOG_TAIL_LINES = 200
MOST_MAIN_CURVES = 6
FIRST_CURVES = (
    *("loss", "accuracy", "held_out_accuracy"),
    *("reward", "held_out_reward", "kl_nats_per_token", "entropy", "plan_accuracy"),
)
MOST_POINTS = 2000  # of one curve on the page; a longer one is thinned evenly, its last point always kept


def kinds_visible_to(user: User) -> list[str]:
    """The kinds of job this person can filter by."""
    return list(Job.objects.visible_to(user).order_by("kind").values_list("kind", flat=True).distinct())


def log_tail(job: Job, *, lines: int = LOG_TAIL_LINES) -> list[JobLogLine]:
    """The newest lines of the log, the oldest of them first."""
    return list(job.log_lines.order_by("-id")[:lines])[::-1]


def curve_names(job: Job) -> list[str]:
    return list(job.metrics.order_by("name").values_list("name", flat=True).distinct())


def main_curves(names: list[str]) -> list[str]:
    """What one looks at first; all, if they are few."""
    if len(names) <= MOST_MAIN_CURVES:
        return names
    return [name for name in FIRST_CURVES if name in names][:MOST_MAIN_CURVES] or names[:MOST_MAIN_CURVES]


def further_curves(names: list[str]) -> list[str]:
    """The rest: guards, parts of sums, internals."""
    main = main_curves(names)
    return [name for name in names if name not in main]


def curve(job: Job, name: str) -> dict[str, Any]:
    """One metric as a line plot (docs/look.md, "Charts")."""
    points = list(JobMetric.objects.filter(job=job, name=name).order_by("step").values_list("step", "value"))
    stride = -(-len(points) // MOST_POINTS) or 1
    thinned = points[::stride] + (points[-1:] if len(points) % stride != 1 and stride > 1 else [])
    return {
        "kind": "line",
        "x": {"label": "step", "values": [step for step, _ in thinned]},
        "y": {"label": name},
        "series": [{"label": name, "values": [value for _, value in thinned]}],
    }


def curve_groups(job: Job) -> dict[str, list[str]]:
    """What jobs/_curve_groups.html shows."""
    names = curve_names(job)
    return {"curves": main_curves(names), "further_curves": further_curves(names)}


def status_context(job: Job) -> dict[str, Any]:
    """What jobs/_status.html shows."""
    return {
        "job": job,
        "log_lines": log_tail(job),
        "artefacts": list(job.artefacts.all()),
        "result": json.dumps(job.result, indent=2, ensure_ascii=False) if job.result else "",
    }


def live_context(job: Job | None, user: User) -> dict[str, Any]:
    """What jobs/_live.html shows of a job on the page of what it makes: its log to whom the job is visible."""
    if job is None or not Job.objects.visible_to(user).filter(pk=job.pk).exists():
        return {"job": job, "may_open_job": False}
    return {**status_context(job), "may_open_job": True, **curve_groups(job)}

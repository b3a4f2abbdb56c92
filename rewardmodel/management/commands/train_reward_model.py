"""manage.py train_reward_model SNAPSHOT: a reward model from a snapshot. See docs/rounds.md."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotation.models import Snapshot
from earshot.jobs import following
from rewardmodel import queries, services


class Command(BaseCommand):
    help = "Train a reward model on a snapshot, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("snapshot", type=int, help="the snapshot's number, as in its address")
        parser.add_argument("--evaluate-on", type=int, help="another snapshot to measure on (held-out scenarios)")
        parser.add_argument("--name", default="", help="what people call it (the snapshot's name and the seed)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--epochs", type=int, help="how often every judgment is seen")
        parser.add_argument("--no-probes", action="store_true", help="do not probe the finished model")
        following.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = _snapshot(options["snapshot"])
        asked = {name: options[name] for name in ("name", "seed", "epochs")} | {"probes": not options["no_probes"]}
        if options["evaluate_on"] is not None:
            asked["evaluate_on"] = _snapshot(options["evaluate_on"])
        by = following.find_person(options["by"])
        try:
            run = services.request_run(snapshot, by=by, tell_worker=not options["here"], **asked)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        assert run.job is not None
        if not following.carry_out(self, run.job, services.run_training, options, f"Reward model {run.pk}"):
            return
        run.refresh_from_db()
        self.stdout.write(self.style.SUCCESS(f"Registered reward model {run.pk} '{run}'"))
        self.stdout.write(f"  content hash  {run.content_hash}")
        if reason := run.report.get("not_measured"):
            self.stdout.write(f"  not measured  {reason}")
        overall = queries.overall_of(run)
        if overall is not None:
            ceiling = overall.ceiling.words if overall.ceiling else f"cannot be said: {overall.no_ceiling}"
            self.stdout.write(f"  overall       {overall.accuracy.words}, ceiling {ceiling}")


def _snapshot(number: int) -> Snapshot:
    found = Snapshot.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(f"There is no snapshot {number}. Its number stands in its address, /snapshots/…/.")
    return found

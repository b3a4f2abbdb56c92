"""manage.py make_snapshot STUDY: an immutable preference dataset from the study's judgments. See docs/snapshots.md."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotation.models import QualityVerdict, Snapshot, Study
from annotation.services import snapshots
from annotation.services.snapshots import SnapshotFilter
from earshot.accounts.models import User
from earshot.jobs import services as jobs
from earshot.jobs.models import Job


class Command(BaseCommand):
    help = "Make a snapshot of a study's judgments, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", type=int, help="the study's number, as in its address")
        parser.add_argument("--name", required=True, help="what people call the snapshot")
        parser.add_argument("--here", action="store_true", help="make it in this process: no worker is needed")
        parser.add_argument("--by", metavar="E-MAIL", help="the researcher or admin who asks for it")
        parser.add_argument(
            "--quality", nargs="+", choices=QualityVerdict.Verdict.values, help="verdicts taken in (pass unknown)"
        )
        parser.add_argument("--dimensions", nargs="+", metavar="KEY", help="only these dimensions (all)")
        parser.add_argument("--late", action="store_true", help="take in judgments submitted after their lease")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}. Its number stands in its address, /studies/…/.")
        asked = {"name": options["name"], "filter": _filter(study, options), "by": _find_researcher(options["by"])}
        try:
            if not options["here"]:
                job = snapshots.request_snapshot(study, **asked)
                self.stdout.write(f"The snapshot waits for a worker (job {job.pk}).")
                return
            job = snapshots.store_snapshot_job(study, **asked)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        with jobs.running(job.pk, job.fence) as held:
            if held is not None:
                snapshots.run_snapshot(held)
        self._tell_result(job)

    def _tell_result(self, job: Job) -> None:
        job.refresh_from_db()
        if job.state != Job.State.SUCCEEDED:
            raise CommandError(f"No snapshot was made: {job.error or job.get_state_display()} (job {job.pk})")
        snapshot = Snapshot.objects.get(pk=job.result["snapshot"])
        made = "Made" if job.result["is_new"] else "The same rows were kept before, as"
        self.stdout.write(self.style.SUCCESS(f"{made} snapshot {snapshot.pk} '{snapshot}'"))
        left_out = ", ".join(f"{count} {reason}" for reason, count in snapshot.counts["out"].items()) or "none"
        self.stdout.write(
            f"  content id  {snapshot.content_id}\n  judgments   {snapshot.counts['in']} in; out: {left_out}"
        )
        self.stdout.write(f"  archive     {snapshot.archive_sha256} ({snapshot.size_bytes:,} bytes)")


def _filter(study: Study, options: dict[str, Any]) -> SnapshotFilter:
    plain = snapshots.default_filter(study)
    return SnapshotFilter(
        quality=tuple(options["quality"] or plain.quality),
        include_late=options["late"],
        include_simulated=plain.include_simulated,
        dimensions=tuple(options["dimensions"] or ()),
    )


def _find_researcher(email: str | None) -> User | None:
    if email is None:
        return None
    user = User.objects.filter(email__iexact=email).first()
    if user is None or not user.is_researcher:
        raise CommandError(f"No researcher or admin has the address {email!r}. Correct it, or leave --by out.")
    return user

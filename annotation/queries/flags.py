"""Flags as researchers read them."""

from django.db.models import Exists, OuterRef, QuerySet

from annotation.models import Flag, Lease, Study


def flags_of(study: Study) -> "QuerySet[Flag]":
    """The study's flags with what a list shows of them, in one query."""
    whole = Flag.objects.select_related("lease__annotator", "lease__pair__scenario", "resolved_by")
    return whole.filter(lease__pair__study=study)


def count_open(study: Study) -> int:
    """From the open flags, which are few, to their leases: else SQLite reads every lease of the study."""
    here = Lease.objects.filter(pk=OuterRef("lease"), study=study)
    return Flag.objects.filter(Exists(here), resolved_at__isnull=True).count()

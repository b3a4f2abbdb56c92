"""Flags as researchers read them."""

from django.db.models import QuerySet

from annotation.models import Flag, Study


def flags_of(study: Study) -> "QuerySet[Flag]":
    """The study's flags with what a list shows of them, in one query."""
    whole = Flag.objects.select_related("lease__annotator", "lease__pair__scenario", "resolved_by")
    return whole.filter(lease__pair__study=study)


def count_open(study: Study) -> int:
    return Flag.objects.filter(lease__pair__study=study, resolved_at__isnull=True).count()

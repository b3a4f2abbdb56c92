"""Names that stand for rows outside this database: opaque, and stable inside a family of snapshots.

Every id is a keyed hash of the row's key, under the family's secret. So two snapshots of a study can be compared row
by row, and neither ids nor pseudonyms of two studies can be led back to one person or order of work.
"""

import hashlib
import hmac

from annotation.models import Lease, SnapshotFamily, Study
from earshot.accounts.models import User
from earshot.formats.snapshot import pseudonym

ID_CHARACTERS = 16  # 64 bits: a million rows meet by chance once in 37 million snapshots


class Names:
    """Makes the ids of one family."""

    def __init__(self, study: Study) -> None:
        self._secret = bytes.fromhex(family_of(study).secret)

    def rater(self, user_pk: int) -> str:
        return pseudonym(self._secret, f"rater:{user_pk}")

    def study(self, pk: int) -> str:
        return self._opaque("s", pk)

    def pair(self, pk: int) -> str:
        return self._opaque("p", pk)

    def judgment(self, pk: int) -> str:
        return self._opaque("j", pk)

    def _opaque(self, kind: str, pk: int) -> str:
        digest = hmac.new(self._secret, f"{kind}:{pk}".encode(), hashlib.sha256).hexdigest()
        return f"{kind}-{digest[:ID_CHARACTERS]}"


def family_of(study: Study) -> SnapshotFamily:
    """A study and its copies share one family."""
    oldest = study
    while oldest.parent is not None:
        oldest = oldest.parent
    return SnapshotFamily.objects.get_or_create(study=oldest)[0]


def rater_pseudonyms(study: Study) -> dict[str, User]:
    """Everybody who held a lease in the study, by pseudonym."""
    names = Names(study)
    held = Lease.objects.filter(pair__study=study)
    return {names.rater(user.pk): user for user in User.objects.filter(pk__in=held.values("annotator"))}

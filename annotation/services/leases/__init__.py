"""The life of a lease, as docs/leases.md draws it. Every change of state is one conditional UPDATE, seats included.

claim ──► reserved ──open──► live ──submit──► submitted ──undo within 10 min──► live
             │                │ └──skip──► skipped                       (seat kept)
           release          expire ──► expired ──submit──► late        (outside the overlap)
         (row removed)                   └──revive, if a seat is free──► live

lending: which lease an annotator gets. life: what becomes of it. An adjudicator's lease lives alike, without a seat.
"""

from annotation.services.leases.lending import next_lease, reserve_ahead, take
from annotation.services.leases.life import (
    check_belongs,
    check_may_judge,
    check_takes_of,
    duration_of,
    expire_if_overdue,
    expire_overdue,
    open_lease,
    release_all,
    release_reserved,
    renew,
    skip,
    undo,
)

__all__ = [
    "check_belongs",
    "check_may_judge",
    "check_takes_of",
    "duration_of",
    "expire_if_overdue",
    "expire_overdue",
    "next_lease",
    "open_lease",
    "release_all",
    "release_reserved",
    "renew",
    "reserve_ahead",
    "skip",
    "take",
    "undo",
]

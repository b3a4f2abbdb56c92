"""Which dialogue goes left and which side is heard first: balanced per pair, then per rater, ties by chance."""

import random
from collections.abc import Iterable

from annotation.queries.lending import KEPT, Before, Shown


def balanced_sides(of_pair: Iterable[Shown], before: Before) -> tuple[str, str]:
    """The dialogue for the left, and the side to be heard first.

    The caller holds the pair's row (its seat was just taken), so that leases of one pair are balanced one by one.

    Args:
        of_pair: the leases of the pair so far.
        before: what the rater had so far.
    """
    kept = [each for each in of_pair if each.state in KEPT]
    a_left_excess = 2 * sum(each.side_left == "a" for each in kept) - len(kept)
    a_first_excess = 2 * sum(each.letter_first == "a" for each in kept) - len(kept)
    side_left = _lighter("a", "b", a_left_excess, before.a_left_excess)
    # A side heard first stands for a dialogue once the sides are set: balance the pair by dialogue, the rater by side.
    first_excess = a_first_excess if side_left == "a" else -a_first_excess
    return side_left, _lighter("left", "right", first_excess, before.left_first_excess)


def _lighter(one: str, other: str, *excesses: int) -> str:
    """`one` where it was used less so far than `other`; the first excess that is not 0 decides."""
    for excess in excesses:
        if excess:
            return other if excess > 0 else one
    return random.choice([one, other])

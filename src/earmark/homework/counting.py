"""Which of a team's hand-ins counts."""

from collections.abc import Sequence

from earmark.homework.course import Assignment
from earmark.leaderboard.hand_ins import HandIn


def counting(hand_ins: Sequence[HandIn], assignment: Assignment) -> HandIn | None:
    """Which of a team's hand-ins for an assignment counts, of those of one moment the later in the ledger's order.

    The chosen one; else the newest accepted that is not too late; else the newest accepted; None where there is none.
    """
    own = [each for each in hand_ins if each.accepted and each.assignment == assignment.name]
    in_time = [each for each in own if each.received <= assignment.closes]
    ranked = [each for each in own if each.chosen] or in_time or own
    return max(reversed(ranked), key=lambda each: each.received, default=None)

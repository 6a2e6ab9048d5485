"""Which of a team's hand-ins counts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

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


def counting_by_team(hand_ins: Iterable[HandIn], assignment: Assignment) -> dict[str, HandIn | None]:
    """The one that counts of each team that has handed something in; `hand_ins` are in the ledger's order."""
    by_team: dict[str, list[HandIn]] = defaultdict(list)
    for each in hand_ins:
        by_team[each.team].append(each)
    return {team: counting(own, assignment) for team, own in by_team.items()}

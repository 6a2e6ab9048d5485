"""In which order submissions are graded: each team's first, then each team's second, and so on."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def by_turns(things: Sequence[Thing], team_of: Callable[[Thing], Hashable]) -> list[Thing]:
    """The same things, a round of one of each team after the other, so that one with forty holds up nobody.

    Teams stand in each round in the order of their first, and a team's own things stay in theirs.
    """
    teams = [team_of(thing) for thing in things]
    seen: Counter[Hashable] = Counter()
    rounds = []
    for team in teams:
        rounds.append(seen[team])
        seen[team] += 1
    firsts = {team: number for number, team in enumerate(seen)}
    order = sorted(range(len(things)), key=lambda number: (rounds[number], firsts[teams[number]]))
    return [things[number] for number in order]

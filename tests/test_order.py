"""A fair order: nobody waits for another team's fortieth."""

from earmark.order import by_turns


def test_each_teams_first_then_each_teams_second():
    handed_in = ["a1", "a2", "a3", "b1", "c1", "c2"]
    assert by_turns(handed_in, lambda name: name[0]) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_one_of_each_stays_as_it_is_given():
    assert by_turns([3, 1, 2], lambda number: number) == [3, 1, 2]
    assert by_turns([3, 1, 2], lambda number: "one team") == [3, 1, 2]
    assert by_turns([], lambda number: number) == []


def test_a_team_with_forty_holds_up_nobody():
    order = by_turns([*(("big", n) for n in range(40)), ("small", 0), ("small", 1)], lambda one: one[0])
    assert [order.index(("small", n)) for n in (0, 1)] == [1, 3]
    assert len(set(order)) == 42

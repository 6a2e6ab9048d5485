"""Hand-ins run on the validation split, too, where feedback may let one hear clips of it."""

from dataclasses import replace

import pytest
from toy_course import TEAMS, Desk, assignment, course_of

from earmark.homework.grading import to_hear
from earmark.leaderboard.records import NewRun


@pytest.fixture
def desk(own_course):
    return Desk()


def heard(desk, *assignments):
    course = course_of(TEAMS, *assignments)
    return {each.team: each.split for each in to_hear(course, assignments, desk.store, desk.ledger)}


def test_hand_ins_that_count_and_have_no_such_run_are_heard(desk):
    embedded = assignment(task="audio_tagging")
    desk.hand_in("reds", submission_hash="one")
    desk.hand_in("blues", submission_hash="two")
    desk.refused("greens")
    assert heard(desk, embedded) == {"reds": "valid", "blues": "valid"}
    new = NewRun(
        task="audio_tagging", submission="x", data="d", split="valid", split_digest="d", submission_hash="one"
    )
    run = desk.store.begin(new)
    desk.store.finish(run, state="failed", verdict="crashed")
    assert heard(desk, embedded) == {"reds": "valid", "blues": "valid"}
    desk.run("x", 0.5)
    scored = desk.store.begin(replace(new, submission="y"))
    score = desk.store.runs(states=["scored"])[0].score
    desk.store.finish(scored, state="scored", score=score)
    assert heard(desk, embedded) == {"blues": "valid"}


def test_of_a_folder_of_the_courses_own_nobody_knows_what_was_handed_out(desk):
    desk.hand_in("reds")
    assert heard(desk, assignment(task="audio_tagging", data="recordings")) == {}
    assert heard(desk, assignment(task="audio_tagging", data="rendered_scenes")) == {"reds": "valid"}

"""The course's own limits, and what is said of a course.yaml that is wrong."""

import pytest

from earmark.errors import InstructorError
from earmark.rules import with_course_limits
from earmark.shelf import load_task
from earmark.submissions.limits import Limits


@pytest.fixture
def limits_with(own_course):
    def limits_with(text):
        (own_course / "course.yaml").write_text(text)
        return load_task("audio_tagging").limits

    return limits_with


def test_the_course_goes_before_the_task_and_says_only_what_it_changes(limits_with):
    before = load_task("audio_tagging").limits
    after = limits_with(
        "limits:\n  audio_tagging: {clip_seconds: 2, parameters: 10_000_000, pretrained: false}\n"
    )
    assert (after.clip_seconds, after.parameters, after.pretrained) == (2, 10_000_000, False)
    assert (after.memory_bytes, after.split_seconds) == (before.memory_bytes, before.split_seconds)


@pytest.mark.parametrize("text", ["", "limits:\n", "limits: {note_classification: {clip_seconds: 2}}"])
def test_other_tasks_keep_their_limits(limits_with, text):
    before = load_task("audio_tagging").limits
    assert limits_with(text) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit: {}", "no key 'limit'. Did you mean 'limits'"),
        ("limits: {audio_taging: {}}", "no task 'audio_taging'. Did you mean 'audio_tagging'"),
        ("limits: {audio_tagging: {clip_second: 2}}", "'clip_second'. Did you mean 'clip_seconds'"),
        (
            "limits: {audio_tagging: {clip_seconds: -1}}",
            "clip_seconds: Input should be greater than 0, got -1",
        ),
        ("limits: {audio_tagging: {clip_seconds: two}}", "clip_seconds: .* got 'two'"),
        ("limits: {audio_tagging: {parameters: 1.5}}", "parameters: .* got 1.5"),
        ("limits: {audio_tagging: {clip_seconds: .inf}}", "clip_seconds: .* got inf"),
        ("limits: {audio_tagging: 2}", "lines like 'clip_seconds: 2' were expected"),
        ("limits: 3", "tasks were expected under it, got 3"),
        ("- limits", "got a list"),
        ("limits: [", "is not YAML"),
    ],
)
def test_a_mistake_in_the_course_file_is_named(limits_with, text, said):
    with pytest.raises(InstructorError, match=said):
        limits_with(text)


def test_without_a_course_file_a_task_is_as_it_is(tmp_path):
    limits = Limits(clip_seconds=3)
    assert with_course_limits(limits, "t", course_file=tmp_path / "course.yaml", tasks=["t"]) is limits

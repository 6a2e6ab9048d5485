"""The course's own limits and terms, and what is said of a course.yaml that is wrong."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from earmark.errors import InstructorError
from earmark.leaderboard.terms import FREE, Terms
from earmark.rules import with_course_limits
from earmark.shelf import load_task, load_terms
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


@pytest.fixture
def terms_with(own_course):
    def terms_with(board, timezone="timezone: Asia/Taipei"):
        (own_course / "course.yaml").write_text(f"{timezone}\nboards:\n  audio_tagging: {board}\n")
        return load_terms("audio_tagging")

    return terms_with


def test_the_terms_of_a_board(terms_with):
    found = terms_with("{public: 0.3, ends: 2026-12-01 23:59, quota: 5, ladder: true}")
    zone = ZoneInfo("Asia/Taipei")
    assert found == Terms(0.3, datetime(2026, 12, 1, 23, 59, tzinfo=zone), 5, ladder=True, zone=zone)
    assert found.ends is not None
    assert found.ends.astimezone(UTC) == datetime(2026, 12, 1, 15, 59, tzinfo=UTC)
    assert load_terms("note_classification") == FREE


@pytest.mark.parametrize(
    ("ends", "utc"),
    [
        ("2026-12-01 23:59", "2026-12-01 15:59"),  # a text to YAML
        ("2026-12-01 23:59:30", "2026-12-01 15:59:30"),  # a moment without a zone to YAML
        ("'2026-12-01T23:59'", "2026-12-01 15:59"),
        ("2026-12-01T23:59:00+02:00", "2026-12-01 21:59"),  # a moment with one
        ("2026-12-01 23:59:00 +02:00", "2026-12-01 21:59"),
        ("2026-12-01 23:59+02:00", "2026-12-01 21:59"),
        ("2026-12-01T23:59:00Z", "2026-12-01 23:59"),
    ],
)
def test_an_end_in_each_form_that_yaml_gives_it(terms_with, ends, utc):
    found = terms_with(f"{{ends: {ends}}}").ends
    assert found.astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_without_a_zone_it_is_utc(terms_with):
    found = terms_with("{ends: 2026-12-01 23:59}", timezone="")
    assert (found.ends, found.zone) == (datetime(2026, 12, 1, 23, 59, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    ("board", "said"),
    [
        ("{publik: 0.3}", "no board rule of audio_tagging 'publik'. Did you mean 'public'"),
        ("{public: 0}", "public: Input should be greater than 0, got 0"),
        ("{public: 1}", "public: Input should be less than 1, got 1"),
        ("{public: 30%}", "public: Input should be a valid number, got '30%'"),
        ("{public: .nan}", "public: .* got nan"),
        ("{quota: 0}", "quota: Input should be greater than or equal to 1, got 0"),
        ("{quota: 2.5}", "quota: .* got 2.5"),
        ("{quota: true}", "quota: .* got True"),
        ("{public: 0.3, ladder: 1}", "ladder: Input should be a valid boolean, got 1"),
        ("{ladder: true}", "needs a public part, such as public: 0.3"),
        ("{ends: 2026-12-01}", "a day and a time were expected, .* got 2026-12-01 without a time"),
        ("{ends: 23:59}", "a day and a time were expected, .* got 1439"),
        ("{ends: 2026-13-01 23:59}", "got '2026-13-01 23:59' .*month"),
        ("{ends: at midnight}", "got 'at midnight'"),
        ("0.3", "boards.audio_tagging: lines like 'public: 0.3' were expected"),
    ],
)
def test_a_mistake_in_the_terms_is_named(terms_with, board, said):
    with pytest.raises(InstructorError, match=f"course.yaml: .*{said}"):
        terms_with(board)


@pytest.mark.parametrize(
    ("ends", "said"),
    [("2026-03-29 02:30", "02:30:00 is not there in Europe/Berlin"), ("2026-10-25 02:30", "is there twice")],
)
def test_an_end_when_clocks_change_needs_its_offset(terms_with, ends, said):
    berlin = "timezone: Europe/Berlin"
    with pytest.raises(InstructorError, match=said):
        terms_with(f"{{ends: {ends}}}", berlin)
    assert terms_with(f"{{ends: {ends}+01:00}}", berlin).ends.astimezone(UTC).hour == 1


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Asia/Taipeh", "Did you mean 'Asia/Taipei'"),
        ("../etc", "no time zone '../etc'"),
        ("8", "no time zone '8'"),
    ],
)
def test_a_time_zone_that_is_none(terms_with, zone, said):
    with pytest.raises(InstructorError, match=said):
        terms_with("{quota: 5}", f"timezone: {zone}")


def test_a_task_that_is_not_there_has_no_terms(own_course):
    (own_course / "course.yaml").write_text("boards: {audio_taging: {quota: 5}}")
    with pytest.raises(InstructorError, match="Did you mean 'audio_tagging'"):
        load_terms("audio_tagging")

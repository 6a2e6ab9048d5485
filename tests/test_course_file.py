"""What course.yaml may say, and what is said of one that is wrong: every mistake, with its line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from earmark.errors import InstructorError
from earmark.homework.course import Anchor, LateStep, ReportRule
from earmark.homework.course_file import load_course
from earmark.located import read
from earmark.quantities import COUNTS, SIZES, TIMES, duration, quantity, share

ROSTER = "id,name,email,team\n1,Ann Lee,a@x.edu,reds\n2,Bo,b@x.edu,reds\n3,Cy,c@x.edu,\n"
WHOLE = """\
title: Music models
timezone: Asia/Taipei
roster: roster.csv
late: {2 days: 40 %, 1 day: 20 %}
limits: {audio_tagging: {clip_seconds: 2 min}}
boards: {audio_tagging: {public: 0.3, ends: 2026-12-01 23:59}}
assignments:
  hw1:
    title: Which instrument
    task: note_classification
    data: recordings
    split: test
    release: 2026-11-01 09:00
    due: 2026-12-01 23:59
    quota: 5
    weight: 60 %
    limits: {parameters: 10 M, memory_bytes: 2 GiB, split_seconds: 1.5 h, clip_seconds: 2}
    pretrained: [beats]
    external_data: [esc50]
    points: {scale: {blank: 0, svm: 40, 0.80: 60, 1: 65, best: 70}, noise: doubt}
    parts: {report: 20, code: 10}
    report: {pages: 4}
    requires: [README.md, "requirements.txt|environment.yml"]
  hw2:
    task: audio_tagging
    due: 2026-12-24 23:59:00+01:00
    weight: 40
    late: {}
    parts: {essay: 7.5}
    parts_file: graded/essays.csv
    report:
"""


@pytest.fixture
def load(own_course):
    def load(text: str, **files: str) -> Any:
        for name, content in {"course__yaml": text, "roster__csv": ROSTER, **files}.items():
            (own_course / name.replace("__", ".")).write_text(content, encoding="utf-8")
        (own_course / "recordings").mkdir(exist_ok=True)
        return load_course()

    return load


def one(lines: str, more: str = "") -> str:
    """A course.yaml with an assignment hw1 whose lines, from line 6 on, are these."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"roster: roster.csv\n{more}\nassignments:\n  hw1:\n    due: 2026-12-01 23:59\n{body}"


def test_a_whole_course(load, own_course):
    course = load(WHOLE)
    zone = ZoneInfo("Asia/Taipei")
    assert (course.title, course.zone, course.folder) == ("Music models", zone, own_course)
    assert list(course.assignments) == ["hw1", "hw2"]
    assert {name: [each.id for each in team.members] for name, team in course.teams.items()} == {
        "reds": ["1", "2"],
        "3": ["3"],
    }
    first = course.assignment("hw1")
    assert first.due == datetime(2026, 12, 1, 23, 59, tzinfo=zone)
    assert first.release == datetime(2026, 11, 1, 9, tzinfo=zone)
    assert first.data == str(own_course / "recordings")
    assert first.late == (
        LateStep(within=timedelta(days=1), minus=0.2),
        LateStep(within=timedelta(days=2), minus=0.4),
    )
    anchors = {"blank": 0, "svm": 40, 0.8: 60, 1.0: 65, "best": 70}
    assert first.scale == tuple(Anchor(at=at, points=points) for at, points in anchors.items())
    assert first.limits == {
        "parameters": 10_000_000, "memory_bytes": 2 << 30, "split_seconds": 5400, "clip_seconds": 2
    }  # fmt: skip
    assert (first.noise, first.quota, first.weight, first.split) == ("doubt", 5, 60, "test")
    assert (first.pretrained, first.external_data) == (("beats",), ["esc50"])
    assert (first.report, first.requires[1]) == (ReportRule(pages=4), "requirements.txt|environment.yml")
    assert (first.parts_file, first.out_of) == (own_course / "parts" / "hw1.csv", 100)


def test_an_assignment_goes_before_the_course_and_leaves_out_what_it_likes(load, own_course):
    second = load(WHOLE).assignment("hw2")
    assert second.due.astimezone(UTC) == datetime(2026, 12, 24, 22, 59, tzinfo=UTC)
    assert (second.title, second.late, second.report, second.scale) == ("hw2", (), None, ())
    assert (second.release, second.data, second.quota, second.external_data) == (None, None, None, None)
    assert (second.parts_file, second.out_of) == (own_course / "graded" / "essays.csv", 7.5)


def test_a_course_may_be_named_and_its_title_is_that_of_its_folder(load, tmp_path):
    load(one("task: audio_tagging\nparts: {essay: 1}"))
    assert load_course().title == load_course().folder.name
    with pytest.raises(InstructorError, match=r"has no course.yaml: earmark course new"):
        load_course(tmp_path)


def test_anchors_and_merged_keys_are_yaml_as_ever(load):
    text = "roster: roster.csv\nassignments:\n  a: &a {task: audio_tagging, due: 2026-12-01 23:59, parts: {x: 1}}\n"
    course = load(f"{text}  b: {{<<: *a, title: B}}\n  c: *a\n")
    assert [each.title for each in course.assignments.values()] == ["a", "B", "c"]


MISTAKES = [
    ("task: audio_taging", 6, "There is no task 'audio_taging'. Did you mean 'audio_tagging'?"),
    ("taks: audio_tagging", 6, "There is no key 'taks'. Did you mean 'task'?"),
    ("quota: 0", 6, "quota: Input should be greater than or equal to 1, got 0"),
    ("weight: 120", 6, "a share of the final grade such as 15 % was expected, got 120"),
    ("weight: '15'", 6, "such as 15 % was expected, got '15'"),
    ("weight: 90", 3, "weights sum to 90 %, 100 % were expected: hw1 90"),
    ("release: 2026-12-01 23:59", 6, "is not before it is due"),
    ("release: 2026-11-01", 6, "release: 2026-12-01 23:59, got 2026-11-01 without a time"),
    ("data: rendered_scene", 6, "no folder 'rendered_scene'. Did you mean 'rendered_scenes'?"),
    ("data: folder", 6, "There is no data set and no folder 'folder'"),
    ("data: recording", 6, "Did you mean 'recordings'?"),
    ("split: tets", 6, "There is no split 'tets'. Did you mean 'test'?"),
    ("points:\n  scale:\n    svm: 90\n    best: 80", 9, "best must earn the most of the scale, which is 90, got 80"),
    ("points: {scale: {blank: 10, best: 80, 0.2: 5}}", 6, "blank must earn the least of the scale, which is 5"),
    ("starter: recording", 6, "There is no folder 'recording'. Did you mean 'recordings'?"),
    ("late: {1 dy: 20 %}", 6, "a time such as 36 h or 1 day was expected, got '1 dy'"),
    ("late: {1 day: 0.2}", 6, "a share such as 20 % was expected, at most 100 %, got 0.2"),
    ("late:\n  1 day: 30 %\n  2 days: 20 %", 8, "1 day late costs 30 %, so 2 days can't cost 20 %"),
    ("late:\n  1 day: 30 %\n  24 h: 40 %", 8, "1 day and 24 h are the same"),
    ("late: 20 %", 6, "a table such as {1 day: 20 %, 2 days: 40 %} was expected, got '20 %'"),
    ("limits:\n  memory_byte: 1 GiB", 7, "'memory_byte'. Did you mean 'memory_bytes'?"),
    ("limits:\n  memory_bytes: 1 gig", 7, "words such as 100 MB or 4 GiB, were expected, got '1 gig'"),
    ("limits: {clip_seconds: 0}", 6, "clip_seconds: Input should be greater than 0, got 0"),
    ("limits: 3", 6, "lines like 'clip_seconds: 2' were expected"),
    ("limits: {pretrained: false}\npretrained: [beats]", 7, "limits say `pretrained: false`"),
    ("pretrained: beats", 6, "pretrained: Input should be a valid list, got 'beats'"),
    ("points:\n  scale:\n    blank: 0\n    svn: 40", 9, "'svn'. Did you mean 'svm'?"),
    ("points:\n  scale:\n    0.8: 40\n    0.90: 30", 9, "0.8 earns 40, so 0.9 can't earn 30"),
    ("points: {scale: {blank: 0}}", 6, "two anchors at least"),
    ("points: {scale: {blank: 0, true: 40}}", 6, "a baseline's name or a score was expected, got True"),
    ("points: {scale: {blank: 0, .inf: 40}}", 6, "or a score was expected, got inf"),
    ("points: {scale: {blank: 0, best: 1}, noise: doubtful}", 6, "'ignore', 'doubt' or 'groups', got 'doubtful'"),
    ("points: {scal: {}}", 6, "There is no key 'scal'. Did you mean 'scale'?"),
    ("points: 70", 6, "lines like 'key: value' were expected under it, got 70"),
    ("report: {page: 4}", 6, "There is no key 'page'. Did you mean 'pages'?"),
    ("report: {file: ../report.pdf}", 6, "a file's name in the submission, such as README.md"),
    ("requires: ['a|/etc/passwd']", 6, "was expected, got '/etc/passwd'"),
    ("parts: {report: -1}", 6, "parts.report: Input should be greater than 0, got -1"),
    ('title: "a\\u202eb"', 6, "characters that turn the text's direction"),
    ("title: a\ntitle: b", 7, "there is a second 'title' here; the first is in line 6"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "line", "said"), MISTAKES)
def test_a_mistake_in_an_assignment_is_named_with_its_line(load, lines, line, said):
    more = {"task": "task: note_classification", "parts": "parts: {essay: 1}"}
    keys = {each.partition(":")[0] for each in lines.splitlines()} | ({"task"} if "taks" in lines else set())
    whole = "\n".join([lines, *(text for key, text in more.items() if key not in keys)])
    with pytest.raises(InstructorError) as caught:
        load(one(whole))
    assert f"line {line}: " in str(caught.value)
    assert said in str(caught.value)
    assert "has 2 mistakes" not in str(caught.value) or "There is no key" in said  # and is the only one


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rooster: roster.csv", "line 1: rooster: There is no key 'rooster'. Did you mean 'roster'?"),
        ("title: x", "roster: is missing"),
        ("roster: rooster.csv", "'rooster.csv' is not there. Did you mean 'roster.csv'?"),
        ("roster: roster.csv\nteams: 3", "line 2: teams: a CSV in"),
        ("roster: roster.csv\ntimezone: Asia/Taipeh", "line 2: timezone: .* Did you mean 'Asia/Taipei'"),
        ("roster: roster.csv\nlimits: {audio_taging: {}}", "line 2: .*'audio_taging'. Did you mean"),
        ("roster: roster.csv\nboards: {audio_tagging: {quota: 0}}", "line 2: boards.audio_tagging.quota"),
        ("roster: roster.csv\nassignments: [hw1]", "line 2: assignments: lines like 'key: value'"),
        ("roster: roster.csv\nassignments: {hw1: {title: x}}", "line 2: assignments.hw1.task: is missing"),
        ("a: b: c", "is not YAML"),
        ("[roster]", "got a list"),
    ],
)
def test_a_mistake_beside_the_assignments_is_named(load, text, said):
    with pytest.raises(InstructorError, match=said):
        load(text)


@pytest.mark.parametrize(
    ("name", "said"),
    [("a/b", "got 'a/b'"), ("..", "got '..'"), ("3", "in quotes it is one: '3'"), ("'-x'", "got '-x'")],
)
def test_a_name_that_would_harm_as_a_file_is_refused(load, name, said):
    entry = "{task: audio_tagging, due: 2026-12-01 23:59, parts: {x: 1}}"
    key = name.strip("'")
    with pytest.raises(InstructorError, match=rf"assignments\.{key}: a name of letters, digits.*{said}"):
        load(f"roster: roster.csv\nassignments:\n  {name}: {entry}")
    with pytest.raises(InstructorError, match=r"line 4: .*differs from 'hw1' only by capitals"):
        load(f"roster: roster.csv\nassignments:\n  hw1: {entry}\n  HW1: {entry}")
    assert list(load(f"roster: roster.csv\nassignments:\n  作業1: {entry}").assignments) == ["作業1"]


def test_all_mistakes_are_told_at_once_by_line_those_of_the_roster_too(load):
    text = one(
        "task: audio_taging\nweight: 50\npoints: {scale: {blank: x, best: 2}}",
        "limits: {audio_tagging: {clip_second: 1}}",
    )
    with pytest.raises(InstructorError) as caught:
        load(text, roster__csv="id,name\n1,Ann\n1,Bo\n")
    said = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in said[1:-1]] == [
        "line 2", "line 3", "line 6", "line 8"
    ]  # fmt: skip
    assert "course.yaml has 4 mistakes" in said[0]
    assert said[-1].endswith("roster.csv: line 3: id '1' is that of line 2, too.")


def test_with_a_roster_that_is_wrong_nobody_seems_to_be_missing_from_it(load):
    text = one("task: audio_tagging\nparts: {essay: 1}", "teams: teams.csv")
    with pytest.raises(InstructorError, match=r"roster.csv: line 2: 1 has no name\.$"):
        load(text, roster__csv="id,name,team\n1,,reds\n2,Bo,Reds\n", teams__csv="team,id\nreds,1\n")
    with pytest.raises(InstructorError, match=r"teams.csv: line 2: '4' is nobody on the roster"):
        load(text, teams__csv="team,id\nreds,4\n")


def test_an_assignment_that_earns_nothing_is_a_mistake(load):
    with pytest.raises(InstructorError, match=r"line 4: assignments.hw1: nothing in it earns points"):
        load(one("task: audio_tagging\npoints: {scale: {blank: 0, best: 0}}"))


@pytest.mark.parametrize(
    ("said", "units", "expected"),
    [
        ("90 s", TIMES, 90), ("2min", TIMES, 120), ("1.5 h", TIMES, 5400), ("1 week", TIMES, 604800),
        ("4 GiB", SIZES, 4 << 30), ("100 MB", SIZES, 100_000_000), ("2 kB", SIZES, 2000), ("10 M", COUNTS, 10_000_000),
        ("1_000 k", COUNTS, 1_000_000), ("4 gib", SIZES, None), ("-1 s", TIMES, None), ("1e3 s", TIMES, None),
        ("90", TIMES, None), (90, TIMES, None), ("", TIMES, None), ("1 s 2", TIMES, None),
    ],
)  # fmt: skip
def test_quantities_in_words(said, units, expected):
    assert quantity(said, units) == expected


def test_a_duration_is_some_time_and_a_share_a_part_of_the_whole():
    assert duration("36 h") == timedelta(hours=36)
    assert [share(f"{number}%") for number in range(101)] == [number / 100 for number in range(101)]
    for wrong in ("0 s", "99999999999 weeks", "soon"):
        with pytest.raises(ValueError, match=r"was expected|longer than"):
            duration(wrong)
    with pytest.raises(ValueError, match="at most 100 %"):
        share("101 %")


def test_every_part_of_a_file_knows_its_line(tmp_path: Path):
    file = tmp_path / "some.yaml"
    file.write_text("\ufeffa:\n  - 1\n  - {b: 2,\n     0.80: 3}\nc: &c\n  d: 1\ne: *c\n", encoding="utf-8")
    found = read(file)
    expected = {(): 1, ("a",): 1, ("a", 1): 3, ("a", 1, "0.8"): 4, ("a", 1, "x"): 3, ("e", "d"): 6}
    assert {keys: found.line(keys) for keys in expected} == expected
    assert not found.mistakes

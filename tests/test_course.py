"""The course folder and its secret, and shelves that a course adds to."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from earmark import course
from earmark.errors import InstructorError
from earmark.shelf import about_task, baselines, load_shelf, load_task, names


def test_the_secret_seed_is_drawn_once_and_kept_from_others(own_course):
    with ThreadPoolExecutor(8) as pool:
        seeds = set(pool.map(lambda _: course.secret_seed(), range(32)))
    assert len(seeds) == 1
    hidden = own_course / "hidden"
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700
    assert stat.S_IMODE((hidden / "seed").stat().st_mode) == 0o600
    assert [path.name for path in hidden.iterdir()] == ["seed"]


def test_two_courses_have_two_secrets(own_course, tmp_path, monkeypatch):
    first = course.secret_seed()
    monkeypatch.setenv("EARMARK_HIDDEN", str(tmp_path / "other"))
    assert course.secret_seed() != first


def test_the_course_is_the_nearest_folder_upwards_with_a_course_yaml(tmp_path, monkeypatch):
    monkeypatch.delenv("EARMARK_COURSE")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "course.yaml").touch()
    monkeypatch.chdir(deep)
    assert course.folder() == tmp_path


def test_the_database_is_a_file_in_the_course_or_what_the_environment_says(own_course, monkeypatch):
    assert course.database() == f"sqlite:///{own_course}/earmark.db"
    monkeypatch.setenv("EARMARK_DB", "postgresql+psycopg://host/name")
    assert course.database() == "postgresql+psycopg://host/name"


def test_a_courses_own_shelf_comes_first(own_course):
    (own_course / "tasks").mkdir()
    (own_course / "tasks" / "humming.py").write_text("TASK = 'no task'\n")
    assert "humming" in names("tasks")
    assert load_shelf("tasks", "humming").TASK == "no task"
    with pytest.raises(InstructorError, match="declares no TASK"):
        load_task("humming")


def test_what_a_file_says_of_its_task_is_what_the_task_says():
    for name in names("tasks"):
        title, scoring = about_task(name)
        assert title == load_task(name).title
        assert scoring == load_shelf("tasks", name).__doc__.strip()


def test_what_a_task_is_called_need_not_stand_in_its_file(toy, own_course):
    assert about_task("loudness") == ("Say whether it is loud", "Is it loud? The smallest task there is.")
    file = own_course / "tasks" / "loudness.py"
    file.write_text(file.read_text().replace('"Say whether it is loud"', "'Say ' + 'it'"))
    assert about_task("loudness")[0] == "Say it"
    file.write_text("TASK = (")
    with pytest.raises(InstructorError, match="does not import: SyntaxError"):
        about_task("loudness")
    with pytest.raises(InstructorError, match="Did you mean 'loudness'"):
        about_task("loudnes")


def test_a_courses_own_baselines_join_the_built_in_ones(own_course):
    folder = own_course / "baselines" / "humming" / "silent"
    folder.mkdir(parents=True)
    (folder / "predict.py").touch()
    assert baselines("humming") == {"silent": folder}


def test_an_unknown_name_brings_up_the_nearest_one():
    with pytest.raises(InstructorError, match="Did you mean 'folder'"):
        load_shelf("datasets", "foldr")

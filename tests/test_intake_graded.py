"""An archive in a folder's place on the command line: graded under its name, or a failed run with the reason."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from earmark import course
from earmark.cli import app

pytestmark = pytest.mark.system("bubblewrap")


@pytest.fixture
def earmark(toy):
    """Run a command on these hand-ins: its exit code and the runs that it prints."""

    def run(command, *paths):
        words = [command, *paths, "--task", "loudness", "--data", toy.data, "--json"]
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]

    return run


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_is_graded_as_its_folder_is_and_named_for_itself(earmark, toy, tmp_path, form):
    folder = toy.submit("ears")
    archive = shutil.make_archive(str(tmp_path / "team 1"), form, folder.parent, "ears")
    code, [of_folder, of_archive] = earmark("grade", folder, archive)
    assert code == 0
    assert (of_archive["submission"], of_archive["headline"]) == ("team 1", of_folder["headline"])
    assert len(list(course.submissions().iterdir())) == 1  # one content, and no draft


def test_a_refused_archive_is_a_failed_run_and_stops_no_other(earmark, toy, tmp_path):
    page = tmp_path / "late.zip"
    page.write_text("<!DOCTYPE html><title>Log in</title>")
    code, [refused, scored] = earmark("grade", page, toy.submit("ears"))
    assert code == 1
    assert (refused["submission"], refused["state"], refused["verdict"]) == ("late", "failed", "refused")
    assert "looks like a web page" in refused["reason"]
    assert scored["state"] == "scored"
    assert len(list(course.submissions().iterdir())) == 1


def test_check_takes_an_archive_and_keeps_nothing(earmark, toy, tmp_path):
    manifest = toy.data / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{header},split", *(f"{row},valid" for row in rows)]))
    archive = shutil.make_archive(str(tmp_path / "ears"), "zip", toy.submit("model"))
    code, [run] = earmark("check", archive)
    assert (code, run["submission"], run["split"]) == (0, "ears", "valid")
    assert not course.submissions().exists()

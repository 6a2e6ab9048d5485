"""What is handed in is kept by its content, and what is kept is what runs."""

import os
import threading

import pytest

from earmark.submissions import kept
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.kept import check_unchanged, content_hash, fingerprint, keep

MB = 1 << 20


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "alice"
    (path / "model").mkdir(parents=True)
    (path / "predict.py").write_text("def predict(audio, sr): return audio\n")
    (path / "model" / "weights.npz").write_bytes(b"weights")
    return path


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "shelf"


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_copy_has_the_content_under_its_hash_and_nobody_may_write_to_it(folder, shelf):
    submission = keep(folder, shelf, max_bytes=MB)
    assert submission.name == "alice"
    assert submission.path == shelf / content_hash(submission)
    assert content(submission.path) == content(folder)
    modes = {p.stat().st_mode & 0o777 for p in [submission.path, *submission.path.rglob("*")]}
    assert modes == {0o555, 0o444}


def test_the_same_content_is_kept_once_under_any_name(folder, shelf):
    first = keep(folder, shelf, max_bytes=MB)
    second = keep(folder.rename(folder.with_name("bob")), shelf, max_bytes=MB)
    assert (first.path, second.name) == (second.path, "bob")
    assert list(shelf.iterdir()) == [first.path]


def test_other_content_is_another_submission(folder, shelf):
    first = keep(folder, shelf, max_bytes=MB)
    (folder / "predict.py").write_text("def predict(audio, sr): return -audio\n")
    assert keep(folder, shelf, max_bytes=MB).path != first.path


def test_caches_and_histories_are_neither_kept_nor_run(folder, shelf):
    for name in ("__pycache__", ".git"):
        (folder / name).mkdir()
        (folder / name / "other.py").write_text("x")
    submission = keep(folder, shelf, max_bytes=MB)
    assert not {"__pycache__", ".git"} & {p.name for p in submission.path.iterdir()}


def test_what_was_kept_and_then_changed_is_noticed(folder, shelf):
    submission = keep(folder, shelf, max_bytes=MB)
    weights = submission.path / "model" / "weights.npz"
    weights.chmod(0o644)
    weights.write_bytes(b"WEIGHTS")
    with pytest.raises(OurFault, match="changed after it was taken in"):
        check_unchanged(submission)
    with pytest.raises(OurFault, match="changed after it was taken in"):
        keep(folder, shelf, max_bytes=MB)


def test_a_kept_submission_that_grew_or_vanished_is_noticed(folder, shelf):
    submission = keep(folder, shelf, max_bytes=MB)
    submission.path.chmod(0o755)
    (submission.path / "more.py").write_text("x")
    with pytest.raises(OurFault):
        check_unchanged(submission)
    submission.path.rename(shelf / "elsewhere")
    with pytest.raises(OurFault):
        check_unchanged(submission)


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (lambda file: file.symlink_to("/etc/passwd"), "can't be read"),
        (os.mkfifo, "a device, pipe or socket"),
    ],
)
def test_a_file_that_is_swapped_after_the_check_is_not_followed(folder, shelf, monkeypatch, turn, said):
    checked = kept.checked_files

    def check_then_swap(path, **options):
        files = checked(path, **options)
        (folder / "model" / "weights.npz").unlink()
        turn(folder / "model" / "weights.npz")
        return files

    monkeypatch.setattr(kept, "checked_files", check_then_swap)
    with pytest.raises(SubmissionError, match=said):
        keep(folder, shelf, max_bytes=MB)
    assert list(shelf.iterdir()) == []


def test_a_folder_without_files_is_not_kept_since_its_name_is_in_no_hash(folder, shelf):
    (folder / ("a" * 200)).mkdir()
    submission = keep(folder, shelf, max_bytes=MB)
    assert [p.name for p in submission.path.iterdir() if p.is_dir()] == ["model"]


def test_a_folder_that_grows_while_it_is_copied_is_too_large(folder, shelf, monkeypatch):
    monkeypatch.setattr(kept, "checked_files", lambda path, **options: [])
    (folder / "big.npz").write_bytes(bytes(MB))
    with pytest.raises(SubmissionError) as caught:
        keep(folder, shelf, max_bytes=MB // 2)
    assert caught.value.verdict == "too large"
    assert list(shelf.iterdir()) == []


def test_two_graders_may_keep_the_same_submission_at_once(folder, shelf):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(keep(folder, shelf, max_bytes=MB))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert list(shelf.iterdir()) == [found[0].path]


def test_a_change_of_the_folder_shows_in_its_fingerprint(folder):
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "predict.py").write_text("def predict(audio, sr): return -audio\n")
    os.utime(folder / "predict.py", (0, 0))
    assert fingerprint(folder) != before

"""What a handed-in folder may hold, and what its declaration may say."""

import os

import pytest

from earmark.submissions.errors import SubmissionError
from earmark.submissions.folder import open_submission

MB = 1 << 20


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "alice"
    path.mkdir()
    (path / "predict.py").write_text("def predict(audio, sr): return audio\n")
    return path


def refusal(folder, **options):
    with pytest.raises(SubmissionError) as caught:
        open_submission(folder, **{"max_bytes": MB} | options)
    return caught.value.verdict, str(caught.value)


def test_a_folder_with_predict_is_enough(folder):
    submission = open_submission(folder, max_bytes=MB)
    assert submission.path == folder
    assert (submission.name, submission.title, submission.task) == ("alice", "", None)
    assert submission.bytes == (folder / "predict.py").stat().st_size
    assert len(submission.code_hash) == 64
    assert submission.weights_hash == ""


def test_a_declaration_is_read(folder):
    (folder / "submission.yaml").write_text(
        "task: audio_tagging\ntitle: Großes Ohr\nauthors: [Ada, 'Bo, Jr.']\nteam: T1\n"
        "external_data: [AudioSet]\npretrained: [VGGish]\nfrom_scratch: false\nvalid_score: 1\n"
    )
    submission = open_submission(folder, max_bytes=MB)
    assert submission.title == "Großes Ohr"
    assert submission.authors == ("Ada", "Bo, Jr.")
    assert (submission.task, submission.team, submission.from_scratch) == ("audio_tagging", "T1", False)
    assert (submission.external_data, submission.pretrained) == (("AudioSet",), ("VGGish",))
    assert submission.valid_score == 1.0


@pytest.mark.parametrize(
    ("text", "value"), [("6e-1", 0.6), ("1e300", 1e300), ("-5.E+0", -5.0), (".5e1", 5.0)]
)
def test_a_score_may_be_written_with_an_exponent(folder, text, value):
    (folder / "submission.yaml").write_text(f"title: 1e3\nvalid_score: {text}\n")
    submission = open_submission(folder, max_bytes=MB)
    assert (submission.valid_score, submission.title) == (value, "1e3")


DECLARATIONS = [
    ("titel: x", "unknown key 'titel', did you mean 'title'?"),
    ("title: [a]", "'title': Input should be a valid string, got list"),
    ("authors: Ada", "'authors': Input should be a valid list, got str"),
    ("from_scratch: perhaps", "'from_scratch'"),
    ("valid_score: .nan", "'valid_score'"),
    ("valid_score: '0.9'", "'valid_score'"),
    (f"title: {'x' * 301}", "at most 300 characters"),
    ('title: "a\\u001b[2J"', "control characters"),
    ('title: "a\\u202eb"', "turn the text's direction"),
    ('title: "a\\nb"', "line breaks"),
    ("- a\n- b", "holds a list"),
    ("title: [", "not YAML"),
    ("[" * 5000, "nested too deeply"),
    ("- " * 5000, "nested too deeply"),
    ("title: 2024-13-45", "not YAML"),
    ("a: &a [x]\nb: [*a, *a]", "uses an alias"),
    ("? [a]\n: b", "not YAML"),
    ("!!python/object/apply:os.system ['true']", "not YAML"),
    *(
        (f"title: !!{tag}", "has a tag")
        for tag in ("timestamp foo", "bool foo", "int ''", "float ''", "str x")
    ),
    ("valid_score: 1e999", "'valid_score': Input should be a finite number"),
    ("valid_score: e-1", "'valid_score'"),
    ("x" * 70_000, "larger than 64 KiB"),
    (b"title: \xff\xfe", "not in UTF-8"),
    ("", None),
    ("# nothing said\n", None),
]


@pytest.mark.parametrize(("text", "said"), DECLARATIONS, ids=[str(said) for _, said in DECLARATIONS])
def test_a_wrong_declaration_is_refused_by_name(folder, text, said):
    (folder / "submission.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    if said is None:
        assert open_submission(folder, max_bytes=MB).title == ""
        return
    verdict, message = refusal(folder)
    assert verdict == "refused"
    assert said in message


def test_several_mistakes_are_told_at_once(folder):
    (folder / "submission.yaml").write_text("titel: x\nteem: y\n")
    assert "'title'" in refusal(folder)[1]
    assert "'team'" in refusal(folder)[1]


def test_a_folder_that_is_not_there_or_a_file_or_empty_is_refused(tmp_path, folder):
    assert "not there" in refusal(tmp_path / "nobody")[1]
    assert "a file" in refusal(folder / "predict.py")[1]
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == (
        "refused",
        "the folder is empty; a predict.py was expected in it.",
    )


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("predicts.py", "Did you mean predicts.py?"),
        ("code/predict.py", "There is one in code/"),
        ("x.md", "Found: x.md"),
    ],
)
def test_no_predict_says_what_was_likely_meant(folder, there, said):
    (folder / there).parent.mkdir(exist_ok=True)
    (folder / "predict.py").rename(folder / there)
    assert said in refusal(folder)[1]


def test_too_large_names_the_largest_file(folder):
    (folder / "model.pt").write_bytes(bytes(2 * MB))
    verdict, message = refusal(folder)
    assert verdict == "too large"
    assert "model.pt" in message
    assert "2.1 MB" in message


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "loop", "predict.py", "..", "nowhere" * 500])
def test_links_are_refused_since_their_text_is_in_no_hash(folder, target):
    (folder.parent / "secret").write_text("")
    (folder / "loop").symlink_to(target)
    assert refusal(folder) == ("refused", "loop is a link; put the file itself there.")


def test_folders_in_one_another_without_end_are_refused_in_bounded_depth(folder):
    here = os.open(folder, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("a", dir_fd=here)
        deeper = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    verdict, message = refusal(folder)
    assert (verdict, "flatten them" in message) == ("refused", True)


def test_too_many_entries_are_counted_as_they_are_listed(folder, monkeypatch):
    from earmark.submissions import folder as module

    monkeypatch.setattr(module, "MAX_FILES", 20)
    for number in range(25):
        (folder / f"empty{number}").mkdir()
    assert refusal(folder) == ("too large", "the folder has more than 20 files.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_refused(folder):
    (folder / "closed").mkdir(mode=0o000)
    assert refusal(folder) == ("refused", "the folder closed can't be read: Permission denied.")


@pytest.mark.parametrize("name", [b"a\xff.py", b"a\x1b[2J.py"])
def test_names_that_cannot_be_shown_are_refused(folder, name):
    (folder / os.fsdecode(name)).write_text("")
    assert "rename it" in refusal(folder)[1]


def test_pipes_are_refused_without_being_opened(folder):
    os.mkfifo(folder / "weights.npz")
    assert refusal(folder) == ("refused", "weights.npz is a device, pipe or socket, not a file.")


def test_hashes_tell_code_from_weights_and_pass_over_caches(folder):
    (folder / "model.npz").write_bytes(b"1")
    first = open_submission(folder, max_bytes=MB)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "predict.pyc").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("x")
    assert open_submission(folder, max_bytes=MB).code_hash == first.code_hash
    (folder / "model.npz").write_bytes(b"2")
    second = open_submission(folder, max_bytes=MB)
    assert second.weights_hash != first.weights_hash
    assert second.code_hash == first.code_hash
    (folder / "net.py").write_text("")
    assert open_submission(folder, max_bytes=MB).code_hash != first.code_hash


def test_a_file_renamed_is_another_submission(folder):
    (folder / "a.py").write_text("")
    first = open_submission(folder, max_bytes=MB).code_hash
    (folder / "a.py").rename(folder / "b.py")
    assert open_submission(folder, max_bytes=MB).code_hash != first

"""The task melody_generation: its data set, its form, its baselines, and songs from elsewhere."""

import gzip
import json
from pathlib import Path

import measured
import numpy as np
import pytest
from typer.testing import CliRunner

from earmark.cli import app
from earmark.datasets import corpus_lyrics
from earmark.errors import InstructorError
from earmark.musicxml import read_voices
from earmark.scoring.intervals import draw_weights, interval, paired_difference
from earmark.shelf import baselines, load_file, load_shelf
from earmark.tasks.melody_generation import TASK

NAMES = ("pitch_distribution", "markov", "lstm")
SONGS = [
    [["Ah,", "single", 60, 1.0, 2.0], ["_", "melisma", 62, 0.5, 0.25], ["me", "single", 64, 1, 0]],
    [["_", "melisma", 60, 1.0, 0.0], ["Kö", "begin", 67, 2.0, 0], ["nig", "end", 65, 0.3333, 0.5]],
]


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    root = tmp_path_factory.mktemp("rendered")
    return {name: corpus_lyrics.load(TASK, name, root, 1) for name in ("train", "valid", "test")}


@pytest.fixture(scope="module")
def models():
    return {name: measured.baseline("melody_generation", name) for name in NAMES}


def write_songs(folder: Path, songs=SONGS) -> Path:
    lines = [json.dumps({"id": f"s{number}", "notes": notes}) for number, notes in enumerate(songs)]
    (folder / "songs.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = [f"s{number},songs.jsonl.gz," for number in range(len(songs))]
    (folder / "manifest.csv").write_text("\n".join(["id,path,labels", *rows]) + "\n")
    return folder


def open_folder(folder: Path):
    return load_shelf("datasets", "folder").load(TASK, "all", folder, 0)


def test_syllables_word_ends_and_the_melody_are_read_from_a_song(tmp_path):
    split = open_folder(write_songs(tmp_path))
    inputs = [clip.inputs() for clip in split.clips]
    assert inputs[0] == {"syllables": ["Ah,", "me"], "word_ends": [True, True]}
    assert inputs[1] == {"syllables": ["Kö", "nig"], "word_ends": [False, True]}
    first = split.targets["s0"]()
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, [[60, 1.75, 2], [64, 1, 0]])


@pytest.mark.parametrize(
    "notes",
    [
        [["la", "single", float("nan"), 1, 0]],
        [["la", "single", 60, 1]],
        [["la", "single", "C4", 1, 0]],
        [["_", "melisma", 60, 1, 0]],
        [],
        None,
    ],
)
def test_a_song_that_is_none_is_the_instructors(tmp_path, notes):
    split = open_folder(write_songs(tmp_path, [notes]))
    with pytest.raises(InstructorError, match=r"songs\.jsonl\.gz"):
        split.clips[0].inputs()


def test_a_row_without_a_song_is_the_instructors(tmp_path):
    write_songs(tmp_path)
    with (tmp_path / "manifest.csv").open("a") as manifest:
        manifest.write("s9,songs.jsonl.gz,\n")
    with pytest.raises(InstructorError, match="'s9'"):
        open_folder(tmp_path).clips[2].inputs()


@pytest.mark.parametrize(
    "score",
    ["bach/bwv39.7.mxl", "trecento/PMFC_06_Giovanni-02-Apress_un_fiume_a.xml", "liliuokalani/aloha_oe.mxl"],
)
def test_scores_are_read_as_music21_reads_them(score):
    from music21 import converter

    parsed = converter.parse(corpus_lyrics.CORPUS / score, forceSource=True)
    expected = []
    for part in parsed.parts:
        notes = [note for note in part.stripTies().flatten().notes if not note.duration.isGrace]
        notes = [note for note in notes if note.lyrics and note.lyrics[0].text]
        rows = [(n.offset, n.lyrics[0].text, n.pitches[0].midi, n.quarterLength) for n in notes]
        expected += [rows] if rows else []
    voices = read_voices(corpus_lyrics.CORPUS / score)
    assert len(voices) == len(expected) > 0
    for notes, rows in zip(voices, expected, strict=True):
        ended, sung = 0.0, []
        for syllable, syllabic, pitch, duration, rest in notes:
            if syllabic != "melisma":
                sung.append((ended + rest, syllable, pitch, duration))
            ended += rest + duration
        assert [row[1:3] for row in sung] == [row[1:3] for row in rows]
        for column in (0, 3):
            ours, theirs = ([float(row[column]) for row in table] for table in (sung, rows))
            np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_the_splits_share_no_group_and_are_large_enough(splits):
    groups = {name: {clip.group for clip in split.clips} for name, split in splits.items()}
    assert not groups["train"] & groups["valid"]
    assert not groups["test"] & (groups["train"] | groups["valid"])
    assert len(groups["test"]) >= 60
    assert len({voice.piece for _, voice in corpus_lyrics._voices()}) >= 300
    for split in splits.values():
        assert all(len(clip.inputs()["syllables"]) >= 20 for clip in split.clips)
    assert max(len(clip.inputs()["syllables"]) for clip in splits["test"].clips) <= 100


def runs(split, length):
    """All runs of so many syllables of a split's lyrics, by letters alone."""
    found = set()
    for clip in split.clips:
        text = ["".join(filter(str.isalnum, word)).lower() for word in clip.inputs()["syllables"]]
        found |= {tuple(text[at : at + length]) for at in range(len(text) - length + 1)}
    return found


def test_no_text_of_the_test_was_trained_on(splits):
    assert not runs(splits["test"], 8) & (runs(splits["train"], 8) | runs(splits["valid"], 8))
    assert runs(splits["test"], 2) & runs(splits["train"], 2)


def test_a_seed_decides_what_is_asked(splits, tmp_path):
    again = corpus_lyrics.load(TASK, "test", tmp_path, 1)
    other = corpus_lyrics.load(TASK, "test", tmp_path, 2)
    assert again.digest == splits["test"].digest != other.digest
    assert {clip.group for clip in again.clips} == {clip.group for clip in other.clips}


def test_ids_order_and_group_tell_nothing(splits):
    clips = splits["test"].clips
    assert [clip.id for clip in clips] == [f"test-song{number:03d}" for number in range(len(clips))]
    assert set(clips[0].inputs()) == {"syllables", "word_ends"}
    durations = np.array([splits["test"].targets[clip.id]()[:, 1].mean() for clip in clips])
    ranks = durations.argsort().argsort()
    order = np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]
    neighbours = np.corrcoef(ranks[1:], ranks[:-1])[0, 1]
    assert max(abs(order), abs(neighbours)) < 0.25


def test_the_corpus_hides_from_submissions_and_the_package_stays(splits):
    sources = splits["test"].sources
    assert corpus_lyrics.CORPUS / "bach" in sources
    assert corpus_lyrics.CORPUS / "trecento" in sources
    assert not any(any(source.glob("*.py")) for source in sources)
    assert not splits["test"].rendered


def test_blank_sets_the_form_of_every_target(splits):
    for split in splits.values():
        for clip in split.clips:
            target, blank = split.targets[clip.id](), TASK.blank(**clip.inputs())
            assert (blank.shape, blank.dtype) == (target.shape, target.dtype)
            assert np.isfinite(target).all()


def replicates(split, answers):
    weights = draw_weights([clip.group for clip in split.clips])
    scores = [
        TASK.score_clip(split.targets[clip.id](), answer, ())
        for clip, answer in zip(split.clips, answers, strict=True)
    ]
    return TASK.headline.measure(scores, weights)


def test_the_score_alone_is_that_of_all_metrics():
    target = np.array([[60, 1, 0], [62.4, 0.5, 0], [64, -1, 1], [60, 2, 0]], dtype=np.float32)
    answer = np.array([[60, 1, 0], [62, 0.5, 0], [200, 1, 1], [59, 2, 0]], dtype=np.float32)
    assert 0 < TASK.score_alone(target, answer) == TASK.score_clip(target, answer, ())["score"] < 1


def test_trained_models_beat_the_trivial_ones_and_nothing_beats_the_human(splits, models):
    split = splits["test"]
    inputs = [clip.inputs() for clip in split.clips]
    human = replicates(split, [split.targets[clip.id]() for clip in split.clips])
    trivial = replicates(split, [models["pitch_distribution"].predict(**asked) for asked in inputs])
    blank = replicates(split, [TASK.blank(**asked) for asked in inputs])
    trained = {
        "markov": replicates(split, [models["markov"].predict(**asked) for asked in inputs]),
        "lstm": replicates(split, models["lstm"].predict_batch(inputs)),
    }
    assert human == pytest.approx(1)
    for name, found in trained.items():
        for floor in (trivial, blank):
            assert paired_difference(found[1:], floor[1:])[0] > 0, name
            assert interval(found[1:])[0] > interval(floor[1:])[1], name


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_answers_in_form_the_same_twice(models, name):
    asked = {"syllables": ["Sah", "ein", "", "日本", "🎵!"], "word_ends": [True, True, False, True, True]}
    answer = models[name].predict(**asked)
    assert (answer.shape, answer.dtype) == ((5, 3), np.float32)
    assert np.isfinite(answer).all()
    assert (answer[:, 1] > 0).all()
    np.testing.assert_array_equal(answer, models[name].predict(**asked))
    assert models[name].predict(["O"], [True]).shape == (1, 3)


def test_a_batch_answers_as_its_songs_one_by_one(models, splits):
    songs = [clip.inputs() for clip in splits["test"].clips[:5]]
    for batched, song in zip(models["lstm"].predict_batch(songs), songs, strict=True):
        np.testing.assert_array_equal(batched, models["lstm"].predict(**song))


@pytest.mark.parametrize("name", ["pitch_distribution", "markov"])
def test_training_writes_the_committed_weights(splits, tmp_path, name):
    folder = baselines("melody_generation")[name]
    module = load_file(folder / "train.py", f"train_{name}")
    public = {part: corpus_lyrics.load(TASK, part, tmp_path, 0) for part in ("train", "valid")}
    module.train(public["train"], public["valid"], tmp_path)
    ours, theirs = (np.load(place / "weights.npz") for place in (tmp_path, folder))
    assert sorted(ours) == sorted(theirs)
    for table in ours:
        np.testing.assert_allclose(ours[table], theirs[table], rtol=1e-6)


@pytest.mark.real
def test_real_songs_load_as_they_are(real, models):
    split = open_folder(real / "lyrics_melody")
    assert len(split.clips) == 1172
    for clip in split.clips[::100]:
        asked, target = clip.inputs(), split.targets[clip.id]()
        assert len(target) == len(asked["syllables"]) == len(asked["word_ends"])
        assert TASK.score_clip(target, target, ())["score"] == pytest.approx(1)
        assert models["markov"].predict(**asked).shape == target.shape


@pytest.mark.system("bubblewrap")
def test_a_submission_finds_no_score_of_the_corpus(tmp_path):
    folder = tmp_path / "spy"
    folder.mkdir()
    (folder / "submission.yaml").write_text("task: melody_generation\ntitle: Spy\nauthors: [me]\nteam: me\n")
    (folder / "predict.py").write_text(
        "import importlib.util\nfrom pathlib import Path\nimport numpy as np\n"
        "corpus = Path(importlib.util.find_spec('music21').origin).parent / 'corpus'\n"
        "assert (corpus / '__init__.py').is_file(), 'the package itself is there'\n"
        "scores = [path for path in corpus.glob('*/**/*') if path.is_file() and path.suffix != '.pyc']\n"
        "assert not scores, scores[:3]\n"
        "def predict(syllables, word_ends):\n    return np.ones((len(syllables), 3), dtype=np.float32)\n"
    )
    result = CliRunner().invoke(
        app, ["grade", str(folder), "--task", "melody_generation", "--seed", "1", "--json"]
    )
    run = json.loads(result.stdout.splitlines()[-1])
    assert run["state"] == "scored", run["reason"]
    assert run["clips"]["failed"] == 0

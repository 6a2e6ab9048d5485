"""A perturbed test set: no look-up finds it, its targets still hold, and scores say by how much it differs."""

import gzip
import hashlib
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from earmark import manifest
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.perturbing import GAIN_DB, Change, _shortened, plan, write
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.starting import write_perturbed

SR = 8000
TAGS = ("high", "low", "never")


def noise(rng, n_samples):
    """Coloured noise below full scale, unlike any other."""
    audio = np.convolve(rng.normal(size=n_samples), rng.normal(size=8), "same")
    return audio / np.abs(audio).max() * 10 ** rng.uniform(-2, 0)


def publish(folder, lengths, *, n_groups=1000):
    """A tagging set as a publisher might: ids and names that tell, clips of these lengths."""
    folder.mkdir()
    rng = np.random.default_rng(len(lengths))
    rows = []
    for number, length in enumerate(lengths):
        tag = TAGS[number % 2]
        soundfile.write(folder / f"{tag}-{number}.wav", noise(rng, length), SR)
        group = f"take{number % n_groups}"
        rows.append({"id": f"{tag}{number}", "path": f"{tag}-{number}.wav", "labels": tag, "group": group})
    pd.DataFrame(rows).assign(split="test").to_csv(folder / "manifest.csv", index=False)
    (folder / "names.txt").write_text("\n".join(TAGS))
    return folder


def perturb(data, folder, task="audio_tagging", seed=5, share=1.0, split="test"):
    return write_perturbed(task, str(data), split, folder, seed=seed, share=share)


@pytest.fixture(scope="module")
def equal(tmp_path_factory):
    """A set whose clips are all of one length, and its new form."""
    folder = tmp_path_factory.mktemp("equal")
    data = publish(folder / "published", [SR] * 60)
    return data, folder / "hidden", perturb(data, folder / "hidden")


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """A set whose clips are of all lengths, and its new form."""
    folder = tmp_path_factory.mktemp("uneven")
    data = publish(folder / "published", np.random.default_rng(0).integers(4000, 9000, size=150))
    return data, folder / "hidden", perturb(data, folder / "hidden")


def audio_of(folder):
    paths = [path for path in folder.rglob("*") if path.suffix in {".wav", ".flac"}]
    return {path: soundfile.read(path, dtype="int16")[0] for path in sorted(paths)}


def found_by_hash(old, new):
    hashes = [
        {hashlib.sha256(path.read_bytes()).digest() for path in audio_of(folder)} for folder in (old, new)
    ]
    return hashes[0] & hashes[1]


def found_by_length(old, new):
    return {len(a) for a in audio_of(old).values()} & {len(a) for a in audio_of(new).values()}


def found_by_window(old, new, window=1000):
    """Whether any window of so many samples stands in both, at any two places, but for silence.

    Such a window holds a half window that begins at a multiple of its length in the old one.
    """
    half = window // 2
    known = {
        a[start : start + half].tobytes()
        for a in audio_of(old).values()
        for start in range(0, len(a) - half + 1, half)
        if a[start : start + half].any()
    }
    return any(
        a[start : start + half].tobytes() in known
        for a in audio_of(new).values()
        for start in range(len(a) - half + 1)
    )


@pytest.mark.parametrize("published", ["equal", "uneven"])
def test_no_hash_no_length_and_no_window_of_samples_is_found(published, request):
    old, new, _ = request.getfixturevalue(published)
    assert not found_by_hash(old, new)
    assert not found_by_length(old, new)
    assert not found_by_window(old, new)


def test_each_look_up_finds_a_clip_that_was_only_cut_or_only_copied(equal, tmp_path):
    old, _, _ = equal
    first = next(iter(audio_of(old)))
    (tmp_path / "copied.wav").write_bytes(first.read_bytes())
    assert found_by_hash(old, tmp_path)
    assert found_by_length(old, tmp_path)
    (tmp_path / "copied.wav").unlink()
    soundfile.write(tmp_path / "cut.flac", audio_of(old)[first][333:1700], SR)
    assert not found_by_hash(old, tmp_path)
    assert not found_by_length(old, tmp_path)
    assert found_by_window(old, tmp_path)


def test_no_new_length_is_a_published_one_even_where_few_are_free():
    published = [length for length in range(900, 1000) if length % 7]
    shortened = _shortened(np.random.default_rng(0), published)
    assert not set(shortened.values()) & set(published)
    assert all(0.94 * length <= kept < length for length, kept in shortened.items())


def test_equal_lengths_stay_equal_and_nearly_equal_ones_become_it(equal, uneven):
    _, new, _ = equal
    assert len({len(a) for a in audio_of(new).values()}) == 1
    before, after = ({len(a) for a in audio_of(folder).values()} for folder in uneven[:2])
    assert len(after) < len(before) / 2


def nearest_are_right(perturbed, old_feature, new_feature):
    """Hits of an attacker who takes the published clip that is nearest by one number, a draw among equals."""
    hits = 0.0
    names = np.array(list(old_feature))
    values = np.array(list(old_feature.values()), dtype=float)
    for clip in perturbed.clips:
        distance = np.abs(values - new_feature[clip.id])
        nearest = names[distance == distance.min()]
        hits += (clip.row.id in nearest) / len(nearest)
    return hits


def by_number(folder, measure):
    rows = manifest.read(folder)[0]
    return {row.id: measure(soundfile.read(row.path)[0]) for row in rows}


def test_the_nearest_length_finds_a_clip_no_more_often_than_a_guess(equal):
    old, new, perturbed = equal
    hits = nearest_are_right(perturbed, by_number(old, len), by_number(new, len))
    assert hits == pytest.approx(1)  # one in sixty, sixty times


def decibels(audio):
    return 20 * np.log10(np.sqrt(np.mean(audio**2)))


def test_the_nearest_level_or_length_is_a_guess_among_those_within_the_bounds(uneven):
    """Bounds leave a choice; within it, the nearest is no better than any other."""
    old, new, perturbed = uneven
    for measure, reach, shift in (
        (decibels, GAIN_DB, 0.0),
        (lambda a: np.log(len(a)), 0.015, -np.log(0.965)),
    ):
        before, after = by_number(old, measure), by_number(new, measure)
        values = np.array(list(before.values()))
        guess = [
            1 / (np.abs(values - after[clip.id] - shift) <= reach).sum().clip(1) for clip in perturbed.clips
        ]
        hits = nearest_are_right(perturbed, before, {name: value + shift for name, value in after.items()})
        spread = np.sqrt(np.sum(np.multiply(guess, np.subtract(1, guess))))
        assert hits < np.sum(guess) + 4 * spread
        assert np.sum(guess) < len(values) / 4


def test_ids_files_and_groups_tell_nothing_and_groups_stay_together(tmp_path):
    data = publish(tmp_path / "published", [SR] * 40, n_groups=10)
    perturbed = perturb(data, tmp_path / "hidden", share=0.8)
    rows, _ = manifest.read(tmp_path / "hidden")
    written = (tmp_path / "hidden" / "manifest.csv").read_text()
    assert not [word for word in ("take", "high-", "low-", "high0", ".wav") if word in written]
    assert [row.id for row in rows] == [f"{number:05d}" for number in range(32)]
    groups = {(clip.row.group, row.group) for clip, row in zip(perturbed.clips, rows, strict=True)}
    assert len(groups) == len(dict(groups)) == 8
    assert set(Counter(row.group for row in rows).values()) == {4}
    assert [clip.row.id for clip in perturbed.clips] != sorted(clip.row.id for clip in perturbed.clips)
    assert (tmp_path / "hidden").stat().st_mode & 0o777 == 0o700


def test_labels_are_kept_as_they_stand_with_all_names(tmp_path):
    data = publish(tmp_path / "published", [SR] * 8)
    perturb(data, tmp_path / "hidden")
    split = open_split(load_task("audio_tagging"), "", data=str(tmp_path / "hidden"))
    assert (split.name, split.names, split.hidden) == ("test", TAGS, True)
    rows = [replace(row, labels="high;-low;?") for row in manifest.read(data)[0]]
    clips, _ = plan(rows, [1], 1.0)
    (tmp_path / "partial").mkdir()
    write(load_task("audio_tagging"), clips, TAGS, tmp_path / "partial")
    assert {row.labels for row in manifest.read(tmp_path / "partial")[0]} == {"high;-low;?"}


def test_a_seed_fixes_every_bit_and_the_courses_secret_is_another(equal, tmp_path):
    old, new, _ = equal
    perturb(old, tmp_path / "again")
    perturb(old, tmp_path / "secret", seed=None)
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (new, tmp_path / "again", tmp_path / "secret")
    ]
    assert contents[0] == contents[1]
    assert not set(contents[0].values()) & set(contents[2].values()) - {"\n".join([*TAGS, ""]).encode()}


def test_no_gain_clips_and_none_leaves_its_bounds():
    for peak in (1e-4, 0.3, 0.9, 1.0):
        gains = [20 * np.log10(Change(level=level).gain(peak)) for level in (0, 0.5, 1)]
        assert gains[0] == pytest.approx(-GAIN_DB, abs=1e-4)
        assert gains[2] == pytest.approx(min(GAIN_DB, -20 * np.log10(peak)), abs=1e-4)
        assert gains[0] < gains[1] < gains[2]
    assert Change().gain(0.5) == 1
    assert Change(level=0.5).gain(2.0) * 2 == pytest.approx(1)


def songs(folder):
    """Two songs of 4 s in three stems, of which one is silent in one song; the mixture is their sum."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(2):
        place = folder / f"song{number}"
        place.mkdir(parents=True)
        stems = {name: np.round(noise(rng, 4 * SR) * 9000).astype(np.int16) for name in ("bass", "drums")}
        stems["vocals"] = np.zeros(4 * SR, np.int16) if number else stems["bass"][::-1] // 2
        for name, audio in (stems | {"mixture": sum(stems.values())}).items():
            soundfile.write(place / f"{name}.wav", audio, SR)
        rows.append({"id": f"s{number}", "path": f"song{number}/mixture.wav", "labels": ";".join(stems)})
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder


def test_stems_follow_their_mixture_and_still_sum_to_it(tmp_path):
    perturbed = perturb(songs(tmp_path / "songs"), tmp_path / "hidden", "source_separation", split="all")
    for clip, row in zip(perturbed.clips, manifest.read(tmp_path / "hidden")[0], strict=True):
        stems = [soundfile.read(row.beside(f"{name}.flac"), dtype="int16")[0] for name in row.tags()]
        mixture = soundfile.read(row.path, dtype="int16")[0]
        assert {len(stem) for stem in stems} == {len(mixture)} != {4 * SR}
        assert np.abs(np.sum(stems, axis=0, dtype=np.int64) - mixture).max() <= 2
        assert stems[-1].any() == (clip.row.id == "s0")  # what was silent is


@pytest.fixture
def beeps(tmp_path):
    """A set for instrument_activity: a class is active exactly where its tone sounds."""
    data = tmp_path / "beeps"
    data.mkdir()
    rng = np.random.default_rng(2)
    times = np.arange(0, 40, 0.05)
    rows = []
    for number in range(6):
        active = rng.random((40, 2)).repeat(20, axis=0) > 0.5
        steps = np.arange(40 * SR) / SR
        audio = sum(
            0.4 * np.sin(2 * np.pi * hz * steps) * active[:, column].repeat(SR // 20)
            for column, hz in enumerate((440, 1800))
        )
        soundfile.write(data / f"{number}.flac", audio, SR)
        table = pd.DataFrame(active.astype(int), columns=["low", "high"], index=pd.Index(times, name="time"))
        table.to_csv(data / f"{number}.csv")
        rows.append(
            {"id": str(number), "path": f"{number}.flac", "labels": f"{number}.csv", "start": 3.2 * number}
        )
    pd.DataFrame(rows).assign(seconds=20).to_csv(data / "manifest.csv", index=False)
    return data


def agreement(split):
    """The share of frames in which the target says what the audio does: whether each tone sounds."""
    right = []
    for clip in split.clips:
        audio = clip.inputs()["audio"]
        target = split.targets[clip.id]()
        frames = audio[: len(audio) // 800 * 800].reshape(-1, 800) * np.hanning(800)
        bins = np.abs(np.fft.rfft(frames))  # of 10 Hz
        heard = np.stack([bins[:, near - 4 : near + 5].max(axis=1) > 30 for near in (44, 180)], axis=1)
        named = [split.names.index(name) for name in ("low", "high")]
        right.append((heard == target[: len(heard), named]).mean())
    return np.mean(right)


def test_activity_follows_start_and_speed(beeps, tmp_path):
    task = load_task("instrument_activity")
    perturbed = perturb(beeps, tmp_path / "hidden", "instrument_activity", split="all")
    before = agreement(open_split(task, "all", data=str(beeps)))
    after = agreement(open_split(task, "all", data=str(tmp_path / "hidden")))
    assert before > 0.97
    assert after > before - 0.02
    assert max(clip.change.start for clip in perturbed.clips) > 0.1 * SR


@pytest.fixture
def lyrics(tmp_path):
    data = tmp_path / "lyrics"
    data.mkdir()
    song = {"id": "song", "notes": [["la", "single", 60, 1.0, 0.0]] * 8}
    with gzip.open(data / "songs.jsonl.gz", "wt") as file:
        file.write(json.dumps(song) + "\n")
    (data / "manifest.csv").write_text("id,path,labels,split\nsong,songs.jsonl.gz,,test\n")
    return data


def test_words_are_not_perturbed(lyrics, tmp_path):
    with pytest.raises(InstructorError, match=r"Only audio can be perturbed"):
        perturb(lyrics, tmp_path / "hidden", "melody_generation")
    assert not (tmp_path / "hidden").exists()


def test_what_can_not_be_read_is_left_out_and_named_and_the_rest_is_told(tmp_path):
    data = publish(tmp_path / "published", [SR] * 6)
    (data / "high-2.wav").write_bytes(b"RIFF")
    perturbed = perturb(data, tmp_path / "hidden")
    assert len(perturbed.clips) == 5
    assert "high2" in perturbed.notes[0]
    with pytest.raises(InstructorError, match="not an empty folder"):
        perturb(data, tmp_path / "hidden")
    with pytest.raises(InstructorError, match="leave --perturb and --data out"):
        perturb("rendered_notes", tmp_path / "other")
    short = publish(tmp_path / "short", [20] * 3)
    with pytest.raises(InstructorError, match="20 samples is too short"):
        perturb(short, tmp_path / "other")
    with pytest.raises(InstructorError, match="--share"):
        perturb(data, tmp_path / "other", share=0.0)


LOOKS_UP = """
import hashlib
import numpy as np
KNOWN = {table}


def predict(audio, sr, classes):
    answer = np.zeros(len(classes), dtype=np.float32)
    label = KNOWN.get(len(audio))
    if label in classes:
        answer[classes.index(label)] = 1
    return answer
"""


def test_the_report_tells_a_model_that_listens_from_one_that_looks_up(toy, tmp_path):
    known = {800 + number: ("loud", "quiet")[number % 2] for number in range(12)}
    listens, looks = toy.submit("listens"), toy.submit("looks", LOOKS_UP.format(table=known))
    command = [
        "data",
        "make",
        "loudness",
        "--perturb",
        "--data",
        str(toy.data),
        "--split",
        "all",
        "--share",
        "1",
    ]

    def made(name, *models):
        options = [
            "--hidden",
            str(tmp_path / name),
            *(part for each in models for part in ("--models", str(each))),
        ]
        return CliRunner().invoke(app, command + options)

    honest, caught = made("one", listens), made("two", listens, looks)
    assert (honest.exit_code, caught.exit_code) == (0, 1), honest.output + caught.output
    [line] = [line for line in caught.output.splitlines() if line.startswith("looks ")]
    assert (line.split()[1], line.split()[-1]) == ("1.000", "no")
    graded = CliRunner().invoke(
        app, ["grade", str(listens), "--task", "loudness", "--data", str(tmp_path / "two")]
    )
    assert "accuracy 1.000" in graded.output


def test_make_says_which_options_belong_together(tmp_path):
    for options, said in (
        ([], "got neither"),
        (["--data", "x", "--hidden", "y"], "Did you mean data make --perturb"),
        (["--perturb", "--hidden", "y"], "--perturb takes --data"),
    ):
        result = CliRunner().invoke(app, ["data", "make", "audio_tagging", *options])
        assert isinstance(result.exception, InstructorError)
        assert said in str(result.exception)


def test_the_embedded_test_split_goes_into_a_folder_of_its_own(tmp_path, monkeypatch):
    from earmark.datasets import rendered_notes

    monkeypatch.setattr(rendered_notes, "NOTES_OF_A_PROGRAM", {"train": 1, "valid": 1, "test": 1})
    command = ["data", "make", "note_classification", "--hidden", str(tmp_path / "kept"), "--seed", "4"]
    assert "anybody can make" in CliRunner().invoke(app, command).output
    task = load_task("note_classification")
    kept = open_split(task, "", data=str(tmp_path / "kept"))
    again = open_split(task, "test", seed=4)
    assert (kept.digest, kept.hidden, again.hidden) == (again.digest, True, False)
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    refused = CliRunner().invoke(app, ["data", "make", "melody_generation", "--hidden", str(tmp_path / "m")])
    assert "can't be kept elsewhere" in str(refused.exception)


@pytest.mark.real
def test_no_look_up_finds_real_notes(real, tmp_path):
    data = real / "note_classification"
    perturb(data, tmp_path / "hidden", "note_classification", split="fold1")
    assert not found_by_hash(data, tmp_path / "hidden")
    assert not found_by_length(data, tmp_path / "hidden")
    assert not found_by_window(data, tmp_path / "hidden")

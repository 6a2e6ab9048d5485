"""The cache of decoded audio: what it gives is what `decode` gives, whatever befalls its files."""

import errno
import hashlib
import logging
import mmap
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from earmark import cache, content, course
from earmark.cache import AudioStore, cached_decode
from earmark.decoding import Segment, decode
from earmark.errors import InstructorError
from earmark.grader import Grader
from earmark.shelf import load_task
from earmark.slots import SUFFIX
from earmark.splits import open_split

SR = 8000
N_CLIPS = 6


@pytest.fixture(autouse=True)
def short_memory(monkeypatch):
    """Files made a moment ago count as settled, as they do in two seconds."""
    monkeypatch.setattr(content, "JUST_NOW", -1_000_000_000)


@pytest.fixture
def decodings(monkeypatch) -> list[Path]:
    """The files that were decoded."""
    seen = []

    def counted(segment):
        seen.append(segment.path)
        return decode(segment)

    monkeypatch.setattr(cache, "decode", counted)
    return seen


def write(path: Path, seed: int, *, seconds: float = 0.1, channels: int = 1, sr: int = SR, **options) -> Path:
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-1, 1, (round(seconds * sr), channels))
    soundfile.write(path, noise, sr, **options)
    return path


def clips(folder: Path, suffix: str = ".wav", **options) -> list[Segment]:
    return [Segment(write(folder / f"{n}{suffix}", n, **options)) for n in range(N_CLIPS)]


def files() -> list[Path]:
    return sorted(course.cache().glob(f"*{SUFFIX}"))


def the_file() -> Path:
    (only,) = files()
    return only


def assert_decoded(store: AudioStore, segments: list[Segment]) -> None:
    for number, segment in enumerate(segments):
        audio, expected = store[number], decode(segment)
        assert audio.dtype == expected.dtype
        assert audio.shape == expected.shape
        assert audio.tobytes() == expected.tobytes()


FORMS = {
    "16 bits": ({}, {}),
    "24 bits": ({"subtype": "PCM_24"}, {}),
    "float": ({"subtype": "FLOAT"}, {}),
    "stereo": ({"channels": 2}, {}),
    "flac": ({"suffix": ".flac"}, {}),
    "ogg": ({"suffix": ".ogg"}, {}),
    "mp3": ({"suffix": ".mp3"}, {}),
    "resampled": ({"seconds": 0.12345}, {"sr": 11025}),
    "mixed down": ({"channels": 2}, {"n_channels": 1}),
    "a stretch": ({}, {"start": 0.0213, "seconds": 0.05}),
    "the rest": ({}, {"start": 0.0213}),
    "more than there is": ({}, {"start": 0.05, "seconds": 3.0}),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_kept_is_what_decode_gives_to_the_bit(form, tmp_path, decodings):
    written, wanted = FORMS[form]
    segments = [Segment(segment.path, **wanted) for segment in clips(tmp_path / "d", **written)]
    for opened in range(2):
        store = AudioStore(segments)
        assert_decoded(store, segments)
        assert_decoded(store, segments)
        assert len(decodings) == N_CLIPS, f"opened {opened + 1} times"
        fetched = store.fetch(range(N_CLIPS))
        assert fetched.tobytes() == b"".join(decode(segment).tobytes() for segment in segments)


def test_16_bits_take_16_bits(tmp_path):
    for name, options in (("short", {}), ("long", {"subtype": "PCM_24"})):
        AudioStore(clips(tmp_path / name, **options))[0]
    small, large = sorted(file.stat().st_size for file in files())
    assert large - small == 2 * N_CLIPS * SR // 10


def test_clips_of_different_lengths_come_as_a_list(tmp_path):
    segments = [Segment(write(tmp_path / f"{n}.wav", n, seconds=0.1 + n % 2)) for n in range(4)]
    store = AudioStore(segments)
    for _ in range(2):
        assert [len(audio) for audio in store.fetch([0, 1, 2])] == [800, 8800, 800]
        assert store.fetch([1, 3]).shape == (2, 8800, 1)
        assert store.fetch([]) == []
        assert_decoded(store, segments)


def test_mono_and_stereo_of_as_many_values_are_told_apart(tmp_path):
    store = AudioStore(
        [
            Segment(write(tmp_path / "mono.wav", 0, seconds=0.2)),
            Segment(write(tmp_path / "stereo.wav", 1, channels=2)),
        ]
    )
    for _ in range(2):
        assert [audio.shape for audio in store.fetch([0, 1])] == [(1600, 1), (800, 2)]


def test_numbers_may_be_negative_and_end(tmp_path):
    segments = clips(tmp_path / "d")
    store = AudioStore(segments)
    assert len(store) == N_CLIPS == len(list(store))
    assert store[-1].tobytes() == decode(segments[-1]).tobytes()
    with pytest.raises(IndexError):
        store[N_CLIPS]


def test_writing_to_what_it_gave_changes_nothing(tmp_path):
    segments = clips(tmp_path / "d")
    store = AudioStore(segments)
    for _ in range(2):
        store[0][:] = 0
        store.fetch([0, 1])[:] = 0
    assert_decoded(store, segments)


def test_a_file_of_another_content_is_read_anew_and_the_cache_is_shared_by_content(tmp_path, decodings):
    segments = clips(tmp_path / "d")
    AudioStore(segments).fetch(range(N_CLIPS))
    again = [Segment(path) for path in (tmp_path / "d").rename(tmp_path / "moved").glob("*")]
    again.sort(key=lambda segment: segment.path)
    assert_decoded(AudioStore(again), again)
    assert len(decodings) == N_CLIPS
    write(again[2].path, seed=99)
    assert_decoded(AudioStore(again), again)
    assert len(files()) == 2


def test_a_file_changed_after_opening_is_not_written_under_the_old_content(tmp_path):
    segments = clips(tmp_path / "d")
    before = [decode(segment).tobytes() for segment in segments]
    old = segments[3].path.read_bytes()
    store = AudioStore(segments)
    store[0]
    write(segments[3].path, seed=99)
    assert store[3].tobytes() != before[3]
    segments[3].path.write_bytes(old)
    assert AudioStore(segments)[3].tobytes() == before[3]
    assert len(files()) == 1


@pytest.mark.parametrize("of", ["_decoder", "LAYOUT"])
def test_another_decoder_or_layout_has_another_file(of, tmp_path, monkeypatch):
    segments = clips(tmp_path / "d")
    AudioStore(segments)[0]
    monkeypatch.setattr(cache, of, "2" if of == "LAYOUT" else lambda: "another")
    AudioStore(segments)[0]
    assert len(files()) == 2


def test_other_stretches_of_the_same_files_have_another_file(tmp_path):
    paths = [segment.path for segment in clips(tmp_path / "d", channels=2)]
    for start in (0.0, 0.02):
        segments = [Segment(path, start=start, seconds=0.05) for path in paths]
        assert_decoded(AudioStore(segments), segments)
    assert len(files()) == 2


def test_what_does_not_decode_is_told_each_time(tmp_path):
    segments = clips(tmp_path / "d")
    segments[1].path.write_bytes(b"no audio")
    segments[2].path.write_bytes(b"")
    segments[3].path.unlink()
    store = AudioStore(segments)
    for _ in range(2):
        for number, message in ((1, "does not decode"), (2, "zero bytes"), (3, "does not decode")):
            with pytest.raises(InstructorError, match=message):
                store[number]
            with pytest.raises(InstructorError, match=message):
                store.fetch([0, number])
        assert store[0].tobytes() == decode(segments[0]).tobytes()


def test_nothing_at_all_decodes(tmp_path):
    segments = clips(tmp_path / "d")[:1]
    segments[0].path.write_bytes(b"no audio")
    with pytest.raises(InstructorError, match="does not decode"):
        AudioStore(segments)[0]
    assert AudioStore([]).fetch([]) == []


FILLER = """
import hashlib
import random
import sys
from pathlib import Path
from earmark.cache import AudioStore
from earmark.decoding import Segment

paths = sorted(Path(sys.argv[1]).glob("*.wav"))
print("ready", flush=True)
sys.stdin.readline()
store = AudioStore([Segment(path) for path in paths])
order = random.sample(range(len(paths)), len(paths))
found = {number: store[number].tobytes() for number in order}
print(hashlib.sha256(b"".join(found[number] for number in range(len(paths)))).hexdigest())
"""


def test_processes_fill_it_at_once(tmp_path):
    segments = [Segment(write(tmp_path / f"{n:02d}.wav", n, seconds=0.5)) for n in range(60)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", FILLER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    fillers = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for filler in fillers:
        assert filler.stdout.readline() == "ready\n"
    for filler in fillers:
        filler.stdin.write("go\n")
        filler.stdin.flush()
    found = {filler.communicate(timeout=120)[0].strip() for filler in fillers}
    assert found == {hashlib.sha256(b"".join(decode(s).tobytes() for s in segments)).hexdigest()}
    assert all(filler.returncode == 0 for filler in fillers)
    assert len(files()) == 1


def test_a_store_can_be_pickled(tmp_path):
    segments = clips(tmp_path / "d")
    store = AudioStore(segments)
    store[0]
    assert_decoded(pickle.loads(pickle.dumps(store)), segments)


@pytest.mark.parametrize("filled", [False, True])
def test_a_loader_with_workers_gives_batches(filled, tmp_path, decodings):
    segments = clips(tmp_path / "d")
    store = AudioStore(segments)
    if filled:
        store.fetch(range(N_CLIPS))
    loader = DataLoader(store, batch_size=4, num_workers=2, collate_fn=torch.from_numpy)
    batches = list(loader)
    assert [tuple(batch.shape) for batch in batches] == [(4, 800, 1), (2, 800, 1)]
    assert torch.cat(batches).numpy().tobytes() == b"".join(decode(s).tobytes() for s in segments)
    assert_decoded(store, segments)
    assert len(decodings) == (N_CLIPS if filled else 0)  # what workers wrote, this process need not decode


def test_what_a_worker_has_checked_its_parent_need_not(tmp_path, monkeypatch):
    segments = clips(tmp_path / "d")
    AudioStore(segments).fetch(range(N_CLIPS))
    store = AudioStore(segments)
    store[0]
    list(DataLoader(store, batch_size=4, num_workers=2, collate_fn=torch.from_numpy))
    monkeypatch.setattr("earmark.slots.zlib", None)
    assert_decoded(store, segments)


DAMAGES = {
    "a flipped byte of audio": lambda data: flipped(data, len(data) - 1),
    "a flipped byte of a length": lambda data: flipped(data, 0),
    "a length of billions": lambda data: b"\xff" * 6 + data[6:],
    "a negative length": lambda data: data[:7] + b"\xff" + data[8:],
    "a flipped byte of a checksum": lambda data: flipped(data, 8),
    "cut in the audio": lambda data: data[:5000],
    "cut in the index": lambda data: data[:20],
    "empty": lambda data: b"",
    "too long": lambda data: data + b"more",
    "noise": lambda data: np.random.default_rng(0).bytes(len(data)),
    "audio lost in a crash": lambda data: data[: mmap.PAGESIZE] + bytes(len(data) - mmap.PAGESIZE),
}


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_mended(damage, tmp_path):
    segments = clips(tmp_path / "d")
    AudioStore(segments).fetch(range(N_CLIPS))
    whole = the_file().read_bytes()
    the_file().write_bytes(DAMAGES[damage](whole))
    store = AudioStore(segments)
    assert_decoded(store, segments)
    mended = the_file().read_bytes()
    assert len(mended) == len(whole)
    for part in (slice(16 * N_CLIPS), slice(mmap.PAGESIZE, None)):
        assert mended[part] == whole[part]
    store.fetch(range(N_CLIPS))
    assert_decoded(store, segments)


def test_the_least_recently_opened_make_room(tmp_path, monkeypatch):
    sets = {name: clips(tmp_path / name, seconds=seconds) for name, seconds in (("a", 1), ("b", 2), ("c", 3))}
    paths = {}
    for day, name in enumerate("ab"):
        AudioStore(sets[name])[0]
        paths[name] = next(file for file in files() if file not in paths.values())
        os.utime(paths[name], (day, day))
    AudioStore(sets["a"])[0]  # opened again: now b is the oldest
    monkeypatch.setenv("EARMARK_CACHE_BYTES", str(450_000))
    AudioStore(sets["c"])[0]
    assert paths["a"].exists()
    assert not paths["b"].exists()
    assert sum(file.stat().st_size for file in files()) <= 450_000


def test_what_is_open_anywhere_is_not_removed(tmp_path, monkeypatch, caplog):
    first, second = clips(tmp_path / "a"), clips(tmp_path / "b", sr=SR + 1)
    monkeypatch.setenv("EARMARK_CACHE_BYTES", "20000")
    store = AudioStore(first)
    store[0]
    kept = the_file()
    other = AudioStore(second)
    assert_decoded(other, second)
    assert files() == [kept]
    assert "don't fit in the cache" in caplog.text
    assert_decoded(store, first)
    del store
    assert_decoded(AudioStore(second), second)
    assert files() != [kept]
    assert len(files()) == 1


def test_more_than_the_bound_is_decoded_unhashed_and_said_once(tmp_path, monkeypatch, caplog):
    segments = clips(tmp_path / "d")
    monkeypatch.setenv("EARMARK_CACHE_BYTES", "1000")
    monkeypatch.setattr(content, "sha256", None)
    store = AudioStore(segments)
    for _ in range(2):
        assert_decoded(store, segments)
    assert len(caplog.records) == 1
    assert not files()


def test_no_bytes_is_no_cache(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("EARMARK_CACHE_BYTES", "0")
    segments = clips(tmp_path / "d")
    assert_decoded(AudioStore(segments), segments)
    assert not course.cache().exists()
    assert not caplog.records


def test_a_bound_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("EARMARK_CACHE_BYTES", "20G")
    with pytest.raises(InstructorError, match="'20G'; expected a number of bytes"):
        AudioStore([])


def test_it_leaves_half_of_what_the_disk_has_free(tmp_path, monkeypatch, caplog):
    segments = clips(tmp_path / "d")
    usage = type("Usage", (), {"free": 20_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert_decoded(AudioStore(segments), segments)
    assert not files()
    assert "half of what the disk has free" in caplog.text


def test_a_full_disk_is_said_once_and_costs_nothing_else(tmp_path, monkeypatch, caplog):
    segments = clips(tmp_path / "d")
    pwrite, written = os.pwrite, []

    def full(descriptor, data, position):
        if len(written) >= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(position)
        return pwrite(descriptor, data[: len(data) // 2 + 1], position)  # and short writes before

    monkeypatch.setattr(os, "pwrite", full)
    store = AudioStore(segments)
    for _ in range(2):
        assert_decoded(store, segments)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    monkeypatch.undo()
    assert_decoded(AudioStore(segments), segments)


def test_a_write_may_come_in_pieces(tmp_path, monkeypatch, decodings):
    segments = clips(tmp_path / "d")
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, place: pwrite(fd, data[: len(data) // 2 + 1], place))
    for _ in range(2):
        assert_decoded(AudioStore(segments), segments)
    assert len(decodings) == N_CLIPS


def test_a_small_disk_fills(tmp_path, monkeypatch, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "none", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        monkeypatch.setenv("EARMARK_CACHE", str(disk / "cache"))
        monkeypatch.setattr("earmark.slots._missing", lambda path, size: 0)
        segments = clips(tmp_path / "d", seconds=1)
        store = AudioStore(segments)
        for _ in range(2):
            assert_decoded(store, segments)
        assert "No space left" in caplog.text
        assert_decoded(AudioStore(segments), segments)
        del store
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_place_that_takes_no_cache_is_said_once(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "file" / "cache"))
    segments = clips(tmp_path / "d")
    store = AudioStore(segments)
    for _ in range(2):
        assert_decoded(store, segments)
    assert len(caplog.records) == 1
    assert "No cache in" in caplog.text


def test_it_is_its_owners_alone(tmp_path):
    AudioStore(clips(tmp_path / "d"))[0]
    assert course.cache().stat().st_mode & 0o777 == 0o700
    assert the_file().stat().st_mode & 0o777 == 0o600


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder of two songs in two stems."""
    root = tmp_path / "songs"
    root.mkdir()
    lines = ["id,path,labels"]
    for song in ("one", "two"):
        for number, name in enumerate(("mixture", "bass", "drums")):
            write(root / song / f"{name}.wav", number, sr=44100, channels=2)
        lines.append(f"{song},{song}/mixture.wav,bass;drums")
    (root / "manifest.csv").write_text("\n".join(lines))
    return root


def test_a_splits_clips_and_stems_are_decoded_once(songs, decodings):
    task = load_task("source_separation")
    for _ in range(2):
        split = open_split(task, "all", data=str(songs))
        for clip in split.clips:
            given, stems = clip.inputs()["audio"], split.targets[clip.id]()
            assert given.tobytes() == decode(Segment(songs / clip.id / "mixture.wav")).tobytes()
            assert stems[1].tobytes() == decode(Segment(songs / clip.id / "drums.wav")).tobytes()
        assert split.audio.fetch([0, 1]).shape == (2, 4410, 2)
    assert len(decodings) == 6


def test_a_clip_that_does_not_decode_is_told_with_its_id(songs):
    (songs / "one" / "mixture.wav").write_bytes(b"no audio")
    split = open_split(load_task("source_separation"), "all", data=str(songs))
    with pytest.raises(InstructorError, match=r"Clip 'one': .*mixture\.wav does not decode as audio"):
        split.clips[0].inputs()


def test_clips_that_are_no_audio_have_none(tmp_path):
    (tmp_path / "notes.jsonl.gz").write_bytes(b"")
    (tmp_path / "manifest.csv").write_text("id,path,labels\na,notes.jsonl.gz,\n")
    assert open_split(load_task("melody_generation"), "all", data=str(tmp_path)).audio is None


def test_no_submission_sees_it(toy, monkeypatch, tmp_path):
    task = load_task("loudness")
    split = open_split(task, "all", data=str(toy.data))
    asked = {}
    monkeypatch.setattr("earmark.grader.Session", lambda folder, **options: asked.update(options))
    grader = Grader("loudness", task, split, None, None, tmp_path / "runs", tmp_path / "kept")
    grader._session(SimpleNamespace(path=tmp_path), None)
    assert course.cache() in asked["hide"]


def test_a_segment_of_no_store_is_decoded(tmp_path, decodings):
    first, second = clips(tmp_path / "a"), clips(tmp_path / "b")
    read = cached_decode(AudioStore(first), AudioStore(second[:2]))
    for segment in (*first, *second) * 2:
        assert read(segment).tobytes() == decode(segment).tobytes()
    assert len(decodings) == len(first) + 2 + 2 * len(second[2:])

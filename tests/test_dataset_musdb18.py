"""MUSDB18 and MUSDB18-HQ, on folders in the layout that their homepage describes; musdb and stempeg read them too."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets import musdb18
from earmark.datasets.musdb18hq import STEMS, VALID
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("source_separation")
SR = 44100
SONGS = {
    "train": ("A Classic Education - NightOwl", "Leaf - Summerghost", "PR - Oh No"),
    "test": ("Al James - Schoolboy Facination", "Zeno - Signs"),
}
PARTS = {
    "train": ["A Classic Education - NightOwl", "PR - Oh No"],
    "valid": ["Leaf - Summerghost"],
    "test": list(SONGS["test"]),
}


def stems_of(seed: int, n_samples: int = SR) -> dict[str, np.ndarray]:
    """The stems of a song on the 16-bit grid, float64 (n_samples, 2), and their sum as the mixture."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples)[:, None] / SR
    tones = rng.uniform(100, 4000, (4, 2))
    sources = [np.round(0.2 * np.sin(2 * np.pi * tone * time) * 2**15) / 2**15 for tone in tones]
    return {"mixture": np.sum(sources, axis=0)} | dict(zip(STEMS, sources, strict=True))


@pytest.fixture
def hq(tmp_path: Path) -> Path:
    root = tmp_path / "musdb18hq"
    for folder, songs in SONGS.items():
        for number, song in enumerate(songs):
            (root / folder / song).mkdir(parents=True)
            for name, audio in stems_of(number).items():
                soundfile.write(root / folder / song / f"{name}.wav", audio, SR, subtype="PCM_16")
    return root


def make_stem_mp4(path: Path, seed: int, *, bass_shorter_by: int = 0) -> None:
    """Five AAC streams of 256 kbit/s, as in Native Instruments' format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix("")
    scratch.mkdir()
    command = ["ffmpeg", "-v", "error", "-y"]
    stems = stems_of(seed)
    stems["bass"] = stems["bass"][: SR - bass_shorter_by]
    for name in musdb18.STREAMS:
        soundfile.write(scratch / f"{name}.wav", stems[name], SR, subtype="PCM_16")
        command += ["-i", str(scratch / f"{name}.wav")]
    for number in range(len(musdb18.STREAMS)):
        command += ["-map", f"{number}:a"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "256k", str(path)], check=True)
    shutil.rmtree(scratch)


@pytest.fixture(scope="module")
def mp4s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("musdb 18")
    for folder, songs in SONGS.items():
        for number, song in enumerate(songs):
            make_stem_mp4(root / folder / f"{song}.stem.mp4", number)
    return root


@pytest.fixture
def mp4(mp4s: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(mp4s, tmp_path / "musdb18"))


def musdb_tracks(root: Path, part: str, *, is_wav: bool) -> list:
    """The songs of a split as musdb finds them."""
    import musdb

    if part == "test":
        return list(musdb.DB(root=str(root), subsets="test", is_wav=is_wav))
    return list(musdb.DB(root=str(root), subsets="train", split=part, is_wav=is_wav))


def test_the_validation_songs_are_those_that_musdb_names():
    import musdb
    import yaml

    settings = yaml.safe_load((Path(musdb.__file__).parent / "configs" / "mus.yaml").read_text())
    assert set(VALID) == set(settings["validation_tracks"])
    assert len(VALID) == 14
    streams = sorted(settings["stem_ids"], key=settings["stem_ids"].get)
    assert tuple(streams) == musdb18.STREAMS


@pytest.mark.parametrize("part", PARTS)
def test_hq_is_read_as_musdb_reads_it(hq, part):
    split = open_split(TASK, part, data=str(hq))
    tracks = musdb_tracks(hq, part, is_wav=True)
    assert [clip.id for clip in split.clips] == [track.name for track in tracks] == PARTS[part]
    assert split.names == STEMS
    for clip, track in zip(split.clips, tracks, strict=True):
        inputs = clip.inputs()
        assert inputs["sr"] == track.rate == SR
        np.testing.assert_array_equal(inputs["audio"], track.audio.astype(np.float32))
        for stem, target in zip(STEMS, split.targets[clip.id](), strict=True):
            np.testing.assert_array_equal(target, track.targets[stem].audio.astype(np.float32))


def test_hq_is_known_by_its_layout_and_a_missing_stem_is_named(hq):
    assert recognised(hq) == "musdb18hq"
    (hq / "test" / "Zeno - Signs" / "bass.wav").unlink()
    with pytest.raises(
        InstructorError, match=r"1 of the 10 files .* missing, first .*Zeno - Signs/bass\.wav"
    ):
        open_split(TASK, "test", data=str(hq))


@pytest.mark.system("ffmpeg")
@pytest.mark.parametrize("part", PARTS)
def test_stem_mp4_is_read_as_musdb_reads_it(mp4s, part):
    split = open_split(TASK, part, data=str(mp4s))
    assert recognised(mp4s) == "musdb18"
    tracks = musdb_tracks(mp4s, part, is_wav=False)
    assert [clip.id for clip in split.clips] == [track.name for track in tracks] == PARTS[part]
    for clip, track in zip(split.clips, tracks, strict=True):
        mixture = clip.inputs()["audio"]
        target = split.targets[clip.id]()
        np.testing.assert_array_equal(mixture, track.audio.astype(np.float32))
        for stem, audio in zip(STEMS, target, strict=True):
            np.testing.assert_array_equal(audio, track.targets[stem].audio.astype(np.float32))
        # Each stem was put under its own name: AAC keeps it close to what went in.
        put_in = stems_of(SONGS["test" if part == "test" else "train"].index(clip.id))
        for stem, audio in zip(STEMS, target, strict=True):
            shared = min(len(audio), SR)
            assert np.abs(audio[2000 : shared - 2000] - put_in[stem][2000 : shared - 2000]).mean() < 0.02


@pytest.mark.system("ffmpeg")
def test_the_streams_are_the_ones_of_stempeg_on_the_16_bit_grid(mp4s, own_course):
    import stempeg

    file = mp4s / "test" / "Zeno - Signs.stem.mp4"
    folder = musdb18.decoded(file, own_course)
    streams, sr = stempeg.read_stems(str(file), dtype=np.float32)
    assert sr == SR
    for name, expected in zip(musdb18.STREAMS, streams, strict=True):
        audio, _ = soundfile.read(folder / f"{name}.flac", dtype="float32", always_2d=True)
        assert soundfile.info(folder / f"{name}.flac").subtype == "PCM_16"
        # One step of 16 bits, since stempeg decodes to floats here.
        assert np.abs(audio - expected).max() <= 1.01 / 2**15


@pytest.mark.system("ffmpeg")
def test_a_song_is_decoded_once_and_anew_where_its_file_is_another(mp4, own_course, monkeypatch):
    file = mp4 / "test" / "Zeno - Signs.stem.mp4"
    first = musdb18.decoded(file, own_course)
    with monkeypatch.context() as patch:
        patch.setattr(musdb18, "_run", None)
        assert musdb18.decoded(file, own_course) == first
    make_stem_mp4(file.with_name("b.stem.mp4"), 7)
    file.with_name("b.stem.mp4").rename(file)
    second = musdb18.decoded(file, own_course)
    assert second != first
    assert (second / "mixture.flac").read_bytes() != (first / "mixture.flac").read_bytes()


@pytest.mark.system("ffmpeg")
def test_several_at_once_decode_the_same(mp4, own_course):
    file = mp4 / "test" / "Zeno - Signs.stem.mp4"
    with ThreadPoolExecutor(4) as pool:
        (folder,) = set(pool.map(lambda _: musdb18.decoded(file, own_course), range(4)))
    assert [path.name for path in own_course.iterdir()] == [folder.name]
    assert sorted(path.stem for path in folder.iterdir()) == sorted(musdb18.STREAMS)


@pytest.mark.system("ffmpeg")
def test_the_digest_is_of_the_sound_not_of_where_it_lies(mp4, tmp_path, monkeypatch):
    digest = open_split(TASK, "valid", data=str(mp4)).digest
    moved = Path(shutil.copytree(mp4, tmp_path / "moved", copy_function=shutil.copyfile))
    monkeypatch.setenv("EARMARK_COURSE", str(tmp_path / "another course"))
    assert open_split(TASK, "valid", data=str(moved)).digest == digest


@pytest.mark.system("ffmpeg")
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named_and_the_others_are_kept(mp4, own_course, share):
    file = mp4 / "test" / "Zeno - Signs.stem.mp4"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InstructorError, match=r"Zeno - Signs\.stem\.mp4"):
        open_split(TASK, "test", data=str(mp4))
    kept = next((own_course / "converted").glob("musdb18-*"))
    assert [path.name.rpartition("-")[0] for path in kept.iterdir()] == ["Al James - Schoolboy Facination"]
    file.write_bytes(whole)
    assert len(open_split(TASK, "test", data=str(mp4)).clips) == 2


@pytest.mark.system("ffmpeg")
def test_a_file_cut_off_behind_its_index_is_not_taken_for_whole(mp4):
    file = mp4 / "test" / "Zeno - Signs.stem.mp4"
    streamed = file.with_name("streamed.mp4")
    copy = ["-map", "0", "-c", "copy", "-movflags", "faststart"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(file), *copy, str(streamed)], check=True)
    whole = streamed.read_bytes()
    streamed.unlink()
    for share in (0.5, 0.8):
        file.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InstructorError, match=r"Zeno - Signs\.stem\.mp4"):
            open_split(TASK, "test", data=str(mp4))


@pytest.mark.system("ffmpeg")
def test_a_stream_that_decodes_to_less_than_it_says_is_not_taken_for_whole(mp4s, monkeypatch):
    monkeypatch.setattr(musdb18, "_lengths", lambda file: [9.0] * 5)
    with pytest.raises(InstructorError, match=r"Schoolboy Facination.* decodes to 1\.0 of 9\.0 s"):
        open_split(TASK, "test", data=str(mp4s))


@pytest.mark.system("ffmpeg")
def test_streams_of_slightly_different_length_are_cut_to_the_shortest(mp4):
    make_stem_mp4(mp4 / "test" / "Zeno - Signs.stem.mp4", 1, bass_shorter_by=3000)
    split = open_split(TASK, "test", data=str(mp4))
    n_samples = len(split.clips[1].inputs()["audio"])
    assert n_samples < SR
    assert split.targets["Zeno - Signs"]().shape == (4, n_samples, 2)


@pytest.mark.system("ffmpeg")
def test_a_file_without_five_streams_is_named(mp4):
    file = mp4 / "test" / "Zeno - Signs.stem.mp4"
    two = file.with_name("two.mp4")
    command = ["ffmpeg", "-v", "error", "-i", str(file), "-map", "0:0", "-map", "0:1", "-c", "copy", str(two)]
    subprocess.run(command, check=True)
    two.rename(file)
    with pytest.raises(InstructorError, match="has 2 audio streams, not those of mixture, drums"):
        open_split(TASK, "test", data=str(mp4))


@pytest.mark.system("ffmpeg")
def test_without_ffmpeg_it_is_said_what_to_do(mp4s, monkeypatch):
    monkeypatch.setattr(musdb18.shutil, "which", lambda command: None)
    with pytest.raises(InstructorError, match=r"ffprobe is not installed.*apt-get install ffmpeg.*musdb18hq"):
        open_split(TASK, "test", data=str(mp4s))

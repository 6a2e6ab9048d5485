"""The embedded notes: who is in which split, what a clip's properties give away, what a seed fixes."""

from itertools import combinations

import numpy as np
import pytest
import soundfile

from earmark import manifest
from earmark.datasets import rendered_notes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    rendered_notes.render(folder, "valid", 0)
    return folder


@pytest.fixture(scope="module")
def rows(folder):
    return manifest.read(folder)[0]


def programs(split):
    return [program for family in rendered_notes.PROGRAMS.values() for program in family[split]]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_two_splits_share_a_program():
    for one, other in combinations(("train", "valid", "test"), 2):
        assert not set(programs(one)) & set(programs(other))


def test_twins_stand_in_one_split():
    for twins in ((0, 3), (75, 76)):
        assert [set(twins) <= set(programs(split)) for split in ("train", "valid", "test")].count(True) == 1


def test_a_program_belongs_to_one_family():
    every = [program for split in ("train", "valid", "test") for program in programs(split)]
    assert len(every) == len(set(every)) == 87


def test_there_are_enough_notes_and_instruments():
    sizes = {split: len(programs(split)) * n for split, n in rendered_notes.NOTES_OF_A_PROGRAM.items()}
    assert sum(sizes.values()) >= 2000
    assert len(programs("test")) >= 30
    assert sizes["test"] >= 600


def test_each_program_is_a_group_of_equal_size(rows):
    groups, counts = np.unique([row.group for row in rows], return_counts=True)
    assert len(groups) == len(programs("valid"))
    assert set(counts) == {rendered_notes.NOTES_OF_A_PROGRAM["valid"]}


def test_the_pitch_lies_in_the_range_of_the_family(rows):
    for row in rows:
        low, high = rendered_notes.RANGES[row.fields()["family"]]
        own = rendered_notes.OWN_RANGES.values()
        bounds = [(low, high), *own]
        assert min(low for low, _ in bounds) <= int(row.fields()["pitch"]) <= max(high for _, high in bounds)


def test_every_clip_is_two_audible_seconds_at_16_khz(rows):
    for row in rows:
        info = soundfile.info(row.path)
        assert (info.frames, info.samplerate, info.channels) == (32000, 16000, 1)
        assert 0.05 < np.abs(row.mono()).max() < 1


def test_neither_order_nor_level_tells_the_family(rows):
    families = np.array([row.fields()["family"] for row in rows])
    peaks = np.array([np.abs(row.mono()).max() for row in rows])
    for metadata in (np.arange(len(rows)), peaks):
        features = metadata[:, None].astype(float)
        # The nearest other clip's family: chance is one in eleven.
        distance = np.abs(features - features.T) + np.diag(np.full(len(rows), np.inf))
        accuracy = (families[distance.argmin(axis=1)] == families).mean()
        assert accuracy < 0.09 + 4 * np.sqrt(0.09 * 0.91 / len(rows))


def test_the_pitch_written_is_the_pitch_heard(rows):
    """Most of a note's energy lies on the harmonics of its pitch or the octave below, as an organ's."""
    on_the_series, off_the_series = [], []
    for row in rows:
        audio = row.mono()
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
        hz = np.fft.rfftfreq(len(audio), 1 / row.sr)
        for shares, semitones in ((on_the_series, 0), (off_the_series, 3)):
            fundamental = 220 * 2 ** ((int(row.fields()["pitch"]) + semitones - 69) / 12)
            cents_off = 1200 * np.abs(
                np.log2(np.maximum(hz, 1) / fundamental / np.maximum(1, np.round(hz / fundamental)))
            )
            shares.append(spectrum[(cents_off < 35) & (hz < 6 * fundamental)].sum() / spectrum.sum())
    assert np.median(on_the_series) > 0.6
    assert np.median(off_the_series) < 0.1


def test_a_seed_fixes_the_split_to_the_bit_and_another_changes_it(folder, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    for place, seed in ((again, 0), (other, 1)):
        place.mkdir()
        rendered_notes.render(place, "valid", seed)
    assert contents(again) == contents(folder)
    first, second = contents(folder), contents(other)
    assert not {audio for path, audio in first.items() if path.suffix == ".flac"} & set(second.values())

"""Fingerprints: a recording is found again whatever was done to it, and nothing else is taken for it."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from earmark.fingerprints import Fingerprint, correlation, fingerprint, listening, recordings
from earmark.manifest import read

SR = 44100


def sound(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Noise in bursts of changing colour: as unlike any other seed's as two recordings are."""
    rng = np.random.default_rng(seed)
    n = round(seconds * SR)
    times = np.linspace(0, seconds, 40)
    envelope = np.interp(np.arange(n) / SR, times, rng.random(40) ** 3)
    audio = 0.3 * envelope * np.convolve(rng.standard_normal(n), rng.standard_normal(64), "same")
    return (audio / np.abs(audio).max() * 0.7).astype(np.float32)[:, None]


def coded(audio: np.ndarray, sr: int, **form: str) -> tuple[np.ndarray, int]:
    file = io.BytesIO()
    soundfile.write(file, audio, sr, **form)
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)


CHANGES = {
    "as it is": lambda audio, sr: (audio, sr),
    "6 dB down": lambda audio, sr: (audio / 2, sr),
    "upside down": lambda audio, sr: (-audio, sr),
    "50 ms later": lambda audio, sr: (audio[round(0.05 * sr) :], sr),
    "22.05 kHz": lambda audio, sr: (soxr.resample(audio, sr, 22050), 22050),
    "in silence": lambda audio, sr: (np.pad(audio, ((sr, sr), (0, 0))), sr),
    "stereo": lambda audio, sr: (audio.repeat(2, axis=1), sr),
    "ogg": lambda audio, sr: coded(audio, sr, format="OGG", subtype="VORBIS"),
    "mp3": lambda audio, sr: coded(audio, sr, format="MP3"),
}


def found(clips: list[np.ndarray]) -> list[tuple[int, int]]:
    return list(recordings([fingerprint(clip) for clip in clips], clips.__getitem__))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seconds", [1.0, 4.0])
def test_a_changed_copy_is_found_among_others(change, seconds):
    audios = [sound(seed, seconds) for seed in range(6)]
    clips = [listening(audio, SR) for audio in audios]
    clips.append(listening(*CHANGES[change](audios[2], SR)))
    assert found(clips) == [(2, 6)]


def test_an_excerpt_is_found_in_the_whole():
    whole = listening(sound(0, 8.0), SR)
    assert found([whole, whole[4 * 8000 : 6 * 8000]]) == [(0, 1)]


def test_a_short_stretch_in_common_is_not_enough():
    first, second = listening(sound(0, 4.0), SR), listening(sound(1, 4.0), SR)
    second[:3000] = first[-3000:]
    assert found([first, second]) == []


def test_a_recording_in_many_copies_is_joined_by_all_its_clips():
    audio = listening(sound(0, 1.0), SR)
    pairs = found([audio * gain for gain in np.linspace(0.1, 1, 60)])
    assert len(pairs) == 59
    assert {clip for pair in pairs for clip in pair} == set(range(60))


def tone(midi: float, n_harmonics: int, decay: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    times = np.arange(16000) / 8000
    pitch = 440 * 2 ** ((midi - 69) / 12)
    partials = [
        rng.random() * np.sin(2 * np.pi * (pitch * k * times + rng.random())) / k
        for k in range(1, n_harmonics + 1)
    ]
    return (np.sum(partials, axis=0) * np.exp(-decay * times) / 4).astype(np.float32)


def test_synthetic_tones_are_not_one_recording():
    rng = np.random.default_rng(0)
    tones = [tone(rng.integers(40, 80), 8, rng.uniform(0, 3), seed) for seed in range(60)]
    assert found(tones) == []


def test_silence_is_no_recording():
    assert found([np.zeros(16000, np.float32)] * 3) == []
    assert found([np.zeros(16000, np.float32), np.zeros(0, np.float32)]) == []


def test_correlation_finds_parts_of_a_sample():
    times = np.arange(8000) / 8000
    first, second = (np.sin(2 * np.pi * 3300 * (times + late)) * np.hanning(8000) for late in (0, 0.5 / 8000))
    assert correlation(first.astype(np.float32), second.astype(np.float32), 0) > 0.99


def test_a_fingerprint_is_small():
    print_ = fingerprint(listening(sound(0, 4.0), SR))
    assert isinstance(print_, Fingerprint)
    assert print_.words.nbytes + print_.sounding.nbytes < 500 * 4


@pytest.mark.real
def test_real_notes_that_are_one_recording_and_no_others(real: Path):
    rows = read(real / "note_classification")[0]
    clips = [listening(row.audio(), row.sr) for row in rows]
    pairs = [{rows[clip].id.removeprefix("iowa-iowa_piano_ff_") for clip in pair} for pair in found(clips)]
    assert sorted(map(sorted, pairs)) in ([["B0", "Bb0"], ["B0", "C1"]], [["B0", "Bb0"], ["Bb0", "C1"]])


@pytest.mark.real
@pytest.mark.parametrize("change", ["ogg", "50 ms later"])
def test_real_recordings_are_found_when_changed(real: Path, change):
    rows = read(real / "audio_tagging")[0][::8]
    audios = [row.audio() for row in rows]
    clips = [listening(audio, SR) for audio in audios]
    clips += [listening(*CHANGES[change](audio, SR)) for audio in audios]
    assert sorted(found(clips)) == [(clip, clip + len(rows)) for clip in range(len(rows))]

"""Rendering: in tune, to the length asked for, the same each time."""

import numpy as np
import pytest

from earmark.rendering import Note, Part, render

SR = 16000


def sounding_pitch(audio: np.ndarray) -> float:
    """MIDI pitch of the first strong peak of the autocorrelation."""
    heard = audio[SR // 4 :][:8192].mean(axis=1)
    size = len(heard)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(heard, 2 * size)) ** 2)[: size // 4]
    correlation /= size - np.arange(size // 4)
    start = int(np.argmax(correlation < 0))
    lag = start + int(np.argmax(correlation[start:] > 0.8 * correlation[start:].max()))
    while correlation[lag + 1] > correlation[lag]:
        lag += 1
    return float(69 + 12 * np.log2(SR / lag / 440))


@pytest.mark.parametrize("program", [0, 24, 40, 56, 68, 73])
@pytest.mark.parametrize("pitch", [48, 60, 67])
def test_a_note_sounds_at_its_pitch(program, pitch):
    audio = render([Part(program, [Note(0.1, 1.0, pitch)])], 1.5, SR)
    assert audio.shape == (24000, 2)
    assert sounding_pitch(audio) == pytest.approx(pitch, abs=0.5)


def test_rendering_again_gives_the_same_bits():
    parts = [Part(0, [Note(0.0, 0.5, 60)]), Part(0, [Note(0.2, 0.5, 38)], drums=True)]
    np.testing.assert_array_equal(render(parts, 1.0, SR), render(parts, 1.0, SR))


def test_notes_beyond_the_end_are_cut():
    assert render([Part(40, [Note(0.5, 3.0, 60)])], 1.0, SR).shape == (SR, 2)


@pytest.mark.parametrize(
    ("program", "pitch", "drums", "seconds"),
    [
        (0, 38, True, 0.1),
        (0, 56, True, 0.05),
        (0, 60, True, 0.05),
        (124, 60, False, 0.15),
        (127, 60, False, 0.3),
    ],
)
def test_a_sound_that_does_not_loop_is_more_than_a_click(program, pitch, drums, seconds):
    audio = np.abs(render([Part(program, [Note(0.1, 1.0, pitch)], drums)], 1.5, SR)).max(axis=1)
    sounding = np.flatnonzero(audio > 0.02 * audio.max())
    assert (sounding[-1] - sounding[0]) / SR > seconds

"""Validation clips as a page shows them: what a model heard, what is true of it, what it answered.

Which picture an answer gets follows from its form, so that a course's own task gets one too: scores of names
become bars, frames of names a chart of what sounds when, stems are played beside the true ones, and a melody
becomes a piano roll that can be heard.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Answer, Inputs
from earmark.excerpts import middle, waveform, write_sound, write_spectrogram
from earmark.leaderboard import charts
from earmark.leaderboard.charts import Span, Who
from earmark.leaderboard.examples import Example, Fact, Pair, Sound
from earmark.rendering import Note, Part, render
from earmark.scoring.activity import THRESHOLD
from earmark.scoring.melody import bounded

BARS = 8
"""How many of the highest scores are drawn, beside those of what is true."""
QUARTERS = 20
QUARTER_SECONDS = 0.5
"""As much of a melody as is drawn takes ten seconds."""
MELODY_SR = 22050

Array = NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """One clip with its answer, and where its files go."""

    clip: str
    inputs: Inputs
    target: Answer
    prediction: Answer
    """The blank answer where the clip failed: that is what was scored."""
    names: Sequence[str]
    folder: Path
    split_digest: str
    run: str

    def sound(
        self, label: str, audio: Array, sr: int, *, own: bool, peak: float = 0.0, spectrogram: bool = False
    ) -> Sound:
        """Write audio under a name that tells nothing; what is not the run's own, all runs share.

        With a spectrogram, or with a waveform drawn up to `peak`.
        """
        key = repr((self.split_digest, self.clip, label, self.run if own else ""))
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        write_sound(self.folder / f"{name}.ogg", audio, sr)
        if spectrogram:
            write_spectrogram(self.folder / f"{name}.png", audio, sr)
        return Sound(
            label=label,
            file=f"{name}.ogg",
            seconds=len(audio) / sr,
            spectrogram=f"{name}.png" if spectrogram else "",
            waveform=waveform(audio, peak) if peak else "",
        )


def illustrate(shown: Shown, score: float | None, verdict: str) -> Example:
    """A clip as it is shown; writes its sounds and its spectrogram."""
    sound, excerpt = None, ""
    if "audio" in shown.inputs:
        audio, sr = shown.inputs["audio"], int(shown.inputs["sr"])
        part = middle(len(audio), sr)
        sound = shown.sound("recording", audio[part], sr, own=False, spectrogram=True)
        if part.stop - part.start < len(audio):
            excerpt = f"{part.start / sr:.1f} to {part.stop / sr:.1f} s of {len(audio) / sr:.1f} s"
    pictures = _pictures(shown)
    return Example(shown.clip, score, verdict, excerpt, sound=sound, **pictures)


def _pictures(shown: Shown) -> dict[str, Any]:
    """The fields of an Example that show target against prediction."""
    target, prediction, count = shown.target, shown.prediction, len(shown.names)
    if isinstance(target, dict) or isinstance(prediction, dict):
        return _parts(shown)
    if "syllables" in shown.inputs and prediction.shape[1:] == (3,):
        return _melody(shown, target, prediction)
    if prediction.ndim == 3 and len(prediction) == count:
        return _stems(shown, target, prediction)
    if prediction.ndim == 2 and prediction.shape[1] == count:
        return _frames(shown, target, prediction)
    if prediction.shape == target.shape == (count,):
        return _scores(shown.names, target, prediction, "names")
    return {}


def _parts(shown: Shown) -> dict[str, Any]:
    """Scores of names for each part of the answer that has them, and its numbers."""
    found: dict[str, Any] = {"facts": [], "charts": []}
    assert isinstance(shown.target, dict)
    assert isinstance(shown.prediction, dict)
    for name, prediction in shown.prediction.items():
        target = shown.target.get(name)
        if target is None:
            continue
        if prediction.shape == target.shape == (len(shown.names),):
            pictures = _scores(shown.names, target, prediction, name)
            found = {key: [*found[key], *pictures[key]] for key in found}
        elif prediction.shape == target.shape == ():
            true = "not known" if np.isnan(target) else f"{float(target):.4g}"
            found["facts"].append(Fact(name, true, f"{float(prediction):.4g}"))
    return found


def _scores(names: Sequence[str], target: Array, prediction: Array, what: str) -> dict[str, Any]:
    true = [name for name, holds in zip(names, target, strict=True) if holds == 1]
    order = np.argsort(-prediction, kind="stable")
    drawn = [at for rank, at in enumerate(order) if rank < BARS or names[at] in true]
    highest = ", ".join(f"{names[at]} {prediction[at]:.2f}" for at in order[:3])
    said = ", ".join(true) or "none"
    chart = charts.scores_of_names(
        [names[at] for at in drawn],
        [float(prediction[at]) for at in drawn],
        true,
        f"True: {said}. Highest scores: {highest}.",
    )
    return {"facts": [Fact(what, said, highest)], "charts": [chart]}


def _frames(shown: Shown, target: Array, prediction: Array) -> dict[str, Any]:
    audio, sr = shown.inputs["audio"], int(shown.inputs["sr"])
    part = middle(len(audio), sr)
    seconds = len(audio) / sr / len(prediction)
    first, last = round(part.start / sr / seconds), round(part.stop / sr / seconds)
    sides: list[tuple[Who, Array]] = [("target", target), ("prediction", prediction)]
    active = {who: np.asarray(side[first:last]) >= THRESHOLD for who, side in sides}
    rows = [name for at, name in enumerate(shown.names) if any(side[:, at].any() for side in active.values())]
    spans = [
        Span(name, start * seconds, end * seconds, who)
        for who, side in active.items()
        for at, name in enumerate(shown.names)
        for start, end in _runs(side[:, at])
    ]
    agree = (active["target"] == active["prediction"]).mean() if last > first else 1.0
    text = (
        f"What sounds when, target above prediction: they agree in {100 * agree:.0f} % of frames and classes."
    )
    return {"charts": [charts.activity(spans, rows, (last - first) * seconds, text)] if rows else []}


def _runs(active: Array) -> Iterator[tuple[int, int]]:
    """Where a column is true: (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _stems(shown: Shown, target: Array, prediction: Array) -> dict[str, Any]:
    sr = int(shown.inputs["sr"])
    part = middle(target.shape[1], sr)
    peak = float(np.abs(target[:, part]).max(initial=1e-3))
    pairs = [
        Pair(
            name,
            shown.sound(f"{name}, true", target[at, part], sr, own=False, peak=peak),
            shown.sound(f"{name}, answered", prediction[at, part], sr, own=True, peak=peak),
        )
        for at, name in enumerate(shown.names)
    ]
    return {"pairs": pairs}


def _melody(shown: Shown, target: Array, prediction: Array) -> dict[str, Any]:
    syllables, ends = shown.inputs["syllables"], shown.inputs["word_ends"]
    spans: list[Span] = []
    sounds: dict[str, Sound] = {}
    sides: list[tuple[Who, Array]] = [("target", target), ("prediction", prediction)]
    for who, answer in sides:
        notes = _sung(answer, syllables, who)
        spans += notes
        label = {"target": "melody, true", "prediction": "melody, answered"}[who]
        sounds[who] = shown.sound(label, _played(notes), MELODY_SR, own=who == "prediction", peak=1.0)
    drawn = max(sum(span.who == who for span in spans) for who, _ in sides)
    words = "".join(s + (" " if end else "") for s, end in zip(syllables[:drawn], ends[:drawn], strict=True))
    pitches = {who: [int(span.row) for span in spans if span.who == who] for who, _ in sides}
    text = (
        f"Piano roll. Pitches of the target: {pitches['target']}; of the prediction: {pitches['prediction']}."
    )
    roll = charts.piano_roll(spans, max((span.end for span in spans), default=1.0), text)
    pair = Pair("melody", sounds["target"], sounds["prediction"])
    return {"text": words.strip(), "charts": [roll], "pairs": [pair]}


def _sung(melody: Array, syllables: Sequence[str], who: Who) -> list[Span]:
    """The notes of a melody's first quarters; a row is a MIDI pitch."""
    pitches, durations, rests = bounded(melody).T
    starts = np.cumsum(durations + rests) - durations
    return [
        Span(int(pitch), float(start), float(min(start + duration, QUARTERS)), who, syllable)
        for pitch, start, duration, syllable in zip(pitches, starts, durations, syllables, strict=True)
        if start < QUARTERS
    ]


def _played(notes: Sequence[Span]) -> Array:
    """The notes as a piano plays them, mono, its peak at half of full scale."""
    part = Part(
        0,
        [
            Note(note.start * QUARTER_SECONDS, (note.end - note.start) * QUARTER_SECONDS, int(note.row))
            for note in notes
        ],
    )
    end = max((note.end for note in notes), default=0.0) * QUARTER_SECONDS
    audio = render([part], end + 0.5, MELODY_SR).mean(axis=1)
    quiet: Array = 0.5 * audio / max(float(np.abs(audio).max()), 1e-6)
    return quiet

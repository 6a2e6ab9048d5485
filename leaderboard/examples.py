"""What a run's page shows of validation clips: their sounds, and target against prediction."""

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.leaderboard.charts import Chart


@dataclass(frozen=True)
class Sound:
    """An excerpt that can be played, with a picture of it."""

    label: str
    file: str
    """Relative to the site's folder of clips."""
    seconds: float
    spectrogram: str = ""
    """A file beside it: black on transparent, by loudness."""
    waveform: str = ""
    """The path of an SVG, as `excerpts.waveform` draws it."""


@dataclass(frozen=True)
class Pair:
    """What is true and what was answered, to be heard one after the other."""

    name: str
    target: Sound
    prediction: Sound


@dataclass(frozen=True)
class Fact:
    """What is true and what was answered, in words."""

    name: str
    target: str
    prediction: str


@dataclass(frozen=True)
class Example:
    """One clip of the validation split, and what the model made of it."""

    clip: str
    score: float | None
    verdict: str = ""
    """Why it failed; empty for one that was answered."""
    excerpt: str = ""
    """Which part of the clip is shown, where it is not the whole."""
    text: str = ""
    """What was asked, where it was words."""
    sound: Sound | None = None
    facts: Sequence[Fact] = ()
    charts: Sequence[Chart] = ()
    pairs: Sequence[Pair] = ()

    @property
    def sounds(self) -> list[Sound]:
        own = [self.sound] if self.sound else []
        return own + [sound for pair in self.pairs for sound in (pair.target, pair.prediction)]


@dataclass(frozen=True)
class Examples:
    """The clips of the validation split that a run's submission answered worst and best."""

    worst: Sequence[Example] = ()
    best: Sequence[Example] = ()
    source: str = ""
    """The run that they are from, and of which data."""
    missing: str = ""
    """Why there are none, and how to get them."""

    @property
    def files(self) -> set[str]:
        """All files that it needs."""
        sounds = [sound for example in (*self.worst, *self.best) for sound in example.sounds]
        return {file for sound in sounds for file in (sound.file, sound.spectrogram) if file}

"""Small MusicXML scores of songs, made up for tests."""

import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

DIVISIONS = 24
STEPS = tuple(
    (name[0], len(name) - 1) for name in ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
)
Note = tuple[str, str, int, float, float]


def made_up_song(seed: object, n_syllables: int = 24) -> list[Note]:
    """Syllables and notes that no other seed's song shares."""
    rng = random.Random(str(seed))
    return [
        (
            f"{seed}-{rng.randrange(10**6)}",
            "single",
            rng.randrange(55, 80),
            rng.choice([0.5, 1.0, 1.5]),
            rng.choice([0.0, 0.0, 1.0]),
        )
        for _ in range(n_syllables)
    ]


def musicxml(*voices: Sequence[Note]) -> str:
    """A score with a part a voice, all of it in one measure."""
    parts = "".join(
        f'<part id="P{number}"><measure number="1"><attributes><divisions>{DIVISIONS}</divisions></attributes>'
        f"{''.join(map(_note, voice))}</measure></part>"
        for number, voice in enumerate(voices)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">{parts}</score-partwise>\n'


def _note(note: Note) -> str:
    syllable, syllabic, pitch, duration, rest = note
    step, alter = STEPS[pitch % 12]
    words = f"<lyric><syllabic>{syllabic}</syllabic><text>{syllable}</text></lyric>"
    return (
        (f"<note><rest/><duration>{round(rest * DIVISIONS)}</duration></note>" if rest else "")
        + f"<note><pitch><step>{step}</step><alter>{alter}</alter><octave>{pitch // 12 - 1}</octave></pitch>"
        + f"<duration>{round(duration * DIVISIONS)}</duration><voice>1</voice>"
        + (words if syllabic != "melisma" else "")
        + "</note>"
    )


def write_score(path: Path, *voices: Sequence[Note]) -> Path:
    """Write a score, compressed where the path says .mxl."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = musicxml(*voices)
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("META-INF/container.xml", "<container/>")
            archive.writestr("score.xml", text)
    else:
        path.write_text(text, encoding="utf-8")
    return path

"""Validation clips inside a page: sounds as data, charts as drawings that can do nothing else."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import soundfile
from test_illustrating import course
from test_pages import HOSTILE, Tags

from earmark.excerpts import write_sound
from earmark.homework import embedding
from earmark.homework.embedding import drawn, embedded_clips
from earmark.leaderboard import charts
from earmark.leaderboard.examples import Example, Examples, Sound
from earmark.worst_and_best import Illustrator

__all__ = ["course"]


def some_clips(folder: Path, count: int) -> list[Example]:
    found = []
    for number in range(count):
        write_sound(folder / f"{number}.ogg", np.random.default_rng(number).normal(0, 0.1, 8000), 8000)
        found.append(Example(f"valid{number}", 0.5, sound=Sound("recording", f"{number}.ogg", 1.0)))
    return found


def test_sounds_are_in_the_page_as_far_as_there_is_room(tmp_path, monkeypatch):
    clips = some_clips(tmp_path, 4)
    sizes = [(tmp_path / f"{number}.ogg").stat().st_size for number in range(4)]
    monkeypatch.setattr(embedding, "MOST_BYTES", sum(sizes) - 1)
    found = embedding._embedded(Examples(worst=clips[:2], best=clips[2:]), tmp_path)
    assert [clip.example.clip for clip in (*found.worst, *found.best)] == ["valid0", "valid1", "valid2"]
    assert found.left_out == 1
    (uri,) = found.best[0].files.values()
    kind, _, content = uri.partition(",")
    assert kind == "data:audio/ogg;base64"
    assert base64.b64decode(content) == (tmp_path / "2.ogg").read_bytes()


def test_a_chart_is_a_drawing_and_nothing_more():
    spec = charts.scores_of_names([HOSTILE, "flute"], [0.25, 0.75], ["flute"], HOSTILE)
    text = str(drawn(spec))
    for tag, attributes in Tags(text).found:
        assert tag in {"svg", "g", "path", "line", "rect", "text", "tspan"}
        assert set(attributes) <= {name.lower() for name in embedding._ATTRIBUTES} | {
            "xmlns",
            "class",
            "aria-hidden",
        }
    assert "var(--accent)" in text


def test_clips_are_of_the_validation_split_alone(course):
    """The hidden clips are gone before: nothing of them is read. Theirs are tones above 1 kHz."""
    tested = course.graded("test")
    illustrator = Illustrator(course.store, course.predictions)
    assert not embedded_clips(illustrator, tested)
    course.graded("valid", hits=8)
    shutil.rmtree(course.folder / "test")
    found = embedded_clips(Illustrator(course.store, course.predictions), tested)
    shown = (*found.worst, *found.best)
    assert (len(found.worst), len(found.best), found.left_out) == (3, 3, 0)
    assert all(clip.example.clip.startswith("valid-") for clip in shown)
    sounds = [uri for clip in shown for name, uri in clip.files.items() if name.endswith(".ogg")]
    assert len(sounds) == 6
    for uri in sounds:
        audio, _ = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert np.abs(np.fft.rfft(audio)).argmax() < 1000

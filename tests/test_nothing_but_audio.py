"""Nothing that reaches a submission tells more than the audio.

The grader runs on a worker that writes down what it is sent, several times over, each time in another order. A
forest then learns the target from everything but the audio's samples: place in the order and in the batch, number
of the request, sizes of header and body, dtypes, shapes, flags, numbers and names. Whether it learns anything is told
by the same forest on the same properties dealt out anew among the clips, which is what chance is here.
"""

import json
import random
import zlib
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from earmark import feeding, grader, manifest
from earmark.datasets import rendered_ensembles, rendered_notes, rendered_scenes, rendered_songs
from earmark.leaderboard.store import Store
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.starting import write_perturbed
from earmark.submissions import protocol, session

ORDERS = 4
DEALS = 16
FOLDS = 4


@dataclass
class Wire:
    """Stands in for a worker: keeps what was sent, and answers blank."""

    task: object
    sent: list = field(default_factory=list)
    isolation: str = "none"
    peak_memory_bytes: int = 0
    peak_gpu_bytes: None = None
    forked: bool = False
    printed: str = ""

    def __call__(self, *_):
        self.words = deque()
        return self

    def begin(self):
        pass

    def go(self, *, seconds):
        return {"ready": True}

    def send(self, request):
        raw = [bytes(part) for part in protocol.encode(request)]
        n_header, _ = protocol.lengths(raw[0], 1 << 62)
        assert n_header == len(raw[1])
        arrived = protocol.decode(raw[1], np.frombuffer(b"".join(raw[2:]), np.uint8))
        self.sent.append((arrived, raw))
        answers = [{"answer": self.task.blank(**clip)} for clip in arrived["clips"]]
        self.words.append({"id": arrived["id"], "answers": answers})

    def receive(self, *, seconds, max_body):
        return self.words.popleft()

    def close(self):
        pass


class NoScorers:
    """Stands in for scorers: what was answered is of no matter."""

    processes = 1

    def part_of(self, n):
        return n

    def score(self, answered):
        done = Future()
        done.set_result([{"score": 0.0}] * len(answered))
        return done


def properties(value, name="clip"):
    """Everything of what predict gets but the samples in an array, as numbers by name."""
    if isinstance(value, np.ndarray):
        flags = {flag: value.flags[flag] for flag in ("C", "F", "W", "A", "O")}
        about = {"dtype": value.dtype.num, "ndim": value.ndim, **flags, **dict(enumerate(value.shape))}
        return {f"{name}.{key}": float(number) for key, number in about.items()}
    if isinstance(value, dict | list):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        found = {f"{name}.n": float(len(items))}
        for place, (key, item) in enumerate(items):
            found |= {f"{name}.{key} at": float(place)} | properties(item, f"{name}.{key}")
        return found
    return {name: float(zlib.crc32(value.encode()) if isinstance(value, str) else value)}


def message_properties(number, arrived, raw):
    """What a whole request tells, of each of its clips alike, and what each clip's place in it does."""
    header = json.loads(raw[1])
    common = {
        "request": number,
        "id": arrived["id"],
        "n_clips": len(arrived["clips"]),
        "keys": zlib.crc32(" ".join(header).encode()),
        "header bytes": len(raw[1]),
        "body bytes": sum(map(len, raw[2:])),
    }
    assert set(arrived) == {"id", "clips", "max_bytes"}, (
        "a new field of requests: is it among the properties?"
    )
    for place, (clip, cap) in enumerate(zip(arrived["clips"], arrived["max_bytes"], strict=True)):
        yield clip, common | {"place": place, "max_bytes": cap} | properties(clip)


def heard(task_name, split, monkeypatch, tmp_path):
    """A table of properties, a row a clip and order, and for each row which clip it was."""
    task = load_task(task_name)
    rows, ids = [], []
    clip_of = {clip.inputs()["audio"].tobytes(): clip.id for clip in split.clips}
    assert len(clip_of) == len(split.clips)
    submission = tmp_path / "submission"
    submission.mkdir(exist_ok=True)
    (submission / "predict.py").write_text("def predict(**inputs):\n    raise NotImplementedError\n")
    monkeypatch.setattr(grader.Grader, "_finish", lambda _self, _run_id, tally: tally)
    for order in range(ORDERS):
        wire = Wire(task)
        monkeypatch.setattr(session, "Worker", wire)
        monkeypatch.setattr(feeding.secrets, "SystemRandom", lambda order=order: random.Random(order))
        judge = grader.Grader(
            task_name=task_name,
            task=task,
            split=split,
            store=Store(f"sqlite:///{tmp_path}/{order}.db"),
            scorers=NoScorers(),
            predictions=tmp_path / "predictions",
            kept=tmp_path / "kept",
            isolation="none",
        )
        assert len(judge.grade(submission).outcomes) == len(split.clips)
        position = 0
        for number, (arrived, raw) in enumerate(wire.sent):
            for clip, told in message_properties(number, arrived, raw):
                rows.append(told | {"position": position, "order": order})
                ids.append(clip_of[clip["audio"].tobytes()])
                position += 1
    return pd.DataFrame(rows).fillna(-1.0), np.array(ids)


def truth(split):
    """What there is to learn of each clip, bool (n_clips, n_questions): family, tags, who plays, what is loudest."""
    answers = []
    for clip in split.clips:
        target = split.targets[clip.id]()
        if isinstance(target, dict):
            answers.append(target["family"] > 0)
        elif target.ndim == 1:
            answers.append(target > 0)
        elif target.ndim == 2:
            answers.append(target.mean(axis=0) > 0.4)
        else:
            energy = (target**2).sum(axis=(1, 2))
            answers.append(energy == energy.max())
    return np.array(answers)


def learnt(table, told, groups):
    """How well a forest, asked about groups it did not learn from, ranks clips: ROC-AUC, mean over questions."""
    answers = np.zeros(told.shape)
    for train, test in GroupKFold(FOLDS).split(table, told, groups):
        forest = RandomForestClassifier(20, min_samples_leaf=4, random_state=0).fit(table[train], told[train])
        for column, chances in enumerate(forest.predict_proba(table[test])):
            known = forest.classes_[column]
            answers[test, column] = chances[:, known.tolist().index(True)] if True in known else 0.0
    return float(np.mean([roc_auc_score(told[:, c], answers[:, c]) for c in range(told.shape[1])]))


def excess(table, ids, split):
    """By how many standard deviations of chance the forest learns more than chance."""
    place = {clip.id: number for number, clip in enumerate(split.clips)}
    which = np.array([place[clip_id] for clip_id in ids])
    known = truth(split)
    known = known[:, known.any(axis=0) & ~known.all(axis=0)]
    groups = np.array([clip.group for clip in split.clips])
    rng = np.random.default_rng(0)
    found = learnt(table, known[which], groups[which])
    chance = []
    for _ in range(DEALS):  # the properties stay, and other clips have them
        dealt = which.copy()
        for start in range(0, len(which), len(split.clips)):
            rng.shuffle(dealt[start : start + len(split.clips)])
        chance.append(learnt(table, known[dealt], groups[dealt]))
    return (found - np.mean(chance)) / np.std(chance)


SMALL = {
    "note_classification": (rendered_notes.render, rendered_notes.NOTES_OF_A_PROGRAM, 3),
    "audio_tagging": (rendered_scenes.render, rendered_scenes.SIZES, 80),
    "instrument_activity": (rendered_ensembles.render, rendered_ensembles.SIZES, 40),
    "source_separation": (rendered_songs.write, rendered_songs.SONGS, 8),
}
TOO_MUCH = 5.0
"""Standard deviations. Orders are drawn from fixed seeds, so that a test that passes goes on to."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The test splits of the embedded data sets, small, as folders; made when first asked for."""
    made = {}

    def folder(task):
        if task not in made:
            render, sizes, size = SMALL[task]
            made[task] = tmp_path_factory.mktemp(task)
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(sizes, "test", size)
                render(made[task], "test", 7)
        return made[task]

    return folder


@pytest.mark.parametrize("task", SMALL)
def test_an_embedded_test_split_tells_nothing_but_its_audio(task, folders, monkeypatch, tmp_path):
    split = open_split(load_task(task), "all", data=str(folders(task)))
    table, ids = heard(task, split, monkeypatch, tmp_path)
    assert excess(table.to_numpy(), ids, split) < TOO_MUCH


def test_a_perturbed_split_tells_nothing_but_its_audio(folders, monkeypatch, tmp_path):
    """Made from a set that tells by ids, by file names and by the order of its rows."""
    source = folders("note_classification")
    data = tmp_path / "published"
    rows = sorted(manifest.read(source)[0], key=lambda row: row.labels)
    data.mkdir()
    told = []
    for number, row in enumerate(rows):
        name = f"{row.labels.partition(';')[0].partition('=')[2]}-{number}"
        soundfile.write(data / f"{name}.flac", *soundfile.read(row.path, dtype="int16"))
        told.append({"id": name, "path": f"{name}.flac", "labels": row.labels, "group": row.group})
    pd.DataFrame(told).to_csv(data / "manifest.csv", index=False)
    write_perturbed("note_classification", str(data), "all", tmp_path / "hidden", seed=1, share=0.8)
    split = open_split(load_task("note_classification"), "", data=str(tmp_path / "hidden"))
    table, ids = heard("note_classification", split, monkeypatch, tmp_path)
    assert len(set(table["clip.audio.0"])) == 1
    assert excess(table.to_numpy(), ids, split) < TOO_MUCH


class Unshuffled:
    """A grader's dice that leave the order as it is."""

    def shuffle(self, order):
        pass


def leaky(split, monkeypatch, leak):
    """The split with something planted that tells the first class from the others."""
    told = {clip.id: int(truth(replace(split, clips=(clip,)))[0].argmax()) for clip in split.clips}
    if leak == "order":
        monkeypatch.setattr(random, "Random", lambda _: Unshuffled())
        return replace(split, clips=tuple(sorted(split.clips, key=lambda clip: told[clip.id])))

    def spoilt(clip):
        inputs = clip.inputs()
        audio = inputs["audio"]
        if leak == "length":
            return inputs | {"audio": audio[: len(audio) - told[clip.id]]}
        if leak == "rate":
            return inputs | {"sr": inputs["sr"] + told[clip.id] % 2}
        return dict(reversed(inputs.items())) if told[clip.id] % 2 else inputs

    clips = [replace(clip, inputs=lambda clip=clip: spoilt(clip)) for clip in split.clips]
    return replace(split, clips=tuple(clips))


@pytest.mark.parametrize("leak", ["order", "length", "rate", "order of arguments"])
def test_a_planted_leak_is_caught(leak, folders, monkeypatch, tmp_path):
    task = "note_classification"
    split = leaky(open_split(load_task(task), "all", data=str(folders(task))), monkeypatch, leak)
    table, ids = heard(task, split, monkeypatch, tmp_path)
    assert excess(table.to_numpy(), ids, split) > TOO_MUCH

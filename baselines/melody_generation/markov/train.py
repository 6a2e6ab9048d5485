"""Count the transitions of the training songs: under a second."""

import importlib.util
from pathlib import Path

import numpy as np

VALUES = 24
"""How many durations and rests are told apart: the most common ones."""


def load_predict():
    """The predict.py beside this file, so that both see lyrics alike."""
    spec = importlib.util.spec_from_file_location("markov_predict", Path(__file__).parent / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(train, valid, folder):
    """Write weights.npz: the chances of each pitch, interval, duration and rest."""
    model = load_predict()
    songs = [(model.standing(**clip.inputs()), train.targets[clip.id]()) for clip in train.clips]
    notes = np.concatenate([melody for _, melody in songs])
    durations, rests = (most_common(notes[:, column]) for column in (1, 2))
    widest = model.WIDEST
    tables = {
        "pitch": np.full(128, 1e-9),
        "first_duration": np.full(len(durations), 1e-9),
        "interval": np.full((3, 2 * widest + 1, 2 * widest + 1), 1e-9),
        "duration": np.full((3, len(durations), len(durations)), 1e-9),
        "rest": np.full((3, len(rests)), 1e-9),
    }
    for stands, melody in songs:
        pitch = melody[:, 0].round().astype(int).clip(0, 127)
        interval = np.diff(pitch, prepend=pitch[0]).clip(-widest, widest) + widest
        duration, rest = model.nearest(melody[:, 1], durations), model.nearest(melody[:, 2], rests)
        np.add.at(tables["pitch"], pitch, 1)
        tables["first_duration"][duration[0]] += 1
        np.add.at(tables["interval"], (stands[1:], interval[:-1], interval[1:]), 1)
        np.add.at(tables["duration"], (stands[1:], duration[:-1], duration[1:]), 1)
        np.add.at(tables["rest"], (stands[:-1], rest[1:]), 1)
    for name in ("interval", "duration"):
        tables[name] = backed_off(tables[name])
    np.savez_compressed(folder / "weights.npz", durations=durations, rests=rests, **tables)


def most_common(values):
    """The most common of the values (n,), sorted."""
    known, counts = np.unique(values, return_counts=True)
    return np.sort(known[np.argsort(-counts, kind="stable")[:VALUES]])


def backed_off(counts):
    """Second-order shares: counts (3, n, n) plus two notes' worth of the first-order shares of their row."""
    first_order = counts.sum(axis=1, keepdims=True)
    counts = counts + 2 * first_order / first_order.sum(axis=2, keepdims=True)
    return counts / counts.sum(axis=2, keepdims=True)


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

"""Train the two LSTMs on excerpts of the songs, moved up or down a little: two CPU minutes."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

EXCERPT = 80
EPOCHS = 40
BATCH = 16
VALUES = 32
"""How many durations and rests are told apart: the most common ones."""


def load_predict():
    """The predict.py beside this file, so that both see lyrics alike."""
    spec = importlib.util.spec_from_file_location("lstm_predict", Path(__file__).parent / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(train, valid, folder):
    """Keep in weights.safetensors the weights of the epoch that the validation songs liked best."""
    torch.manual_seed(0)
    model = load_predict()
    notes = np.concatenate([train.targets[clip.id]() for clip in train.clips])
    durations, rests = (most_common(notes[:, column]) for column in (1, 2))
    songs, held_out = (read(split, durations, rests) for split in (train, valid))
    singer = model.Singer(len(durations), len(rests))
    optimizer = torch.optim.Adam(singer.parameters(), lr=2e-3, weight_decay=1e-5)
    rng = np.random.default_rng(0)
    best = np.inf
    for epoch in range(EPOCHS):
        singer.train()
        excerpts = [excerpt(song, rng, shift=int(rng.integers(-3, 4))) for song in songs]
        rng.shuffle(excerpts)
        losses = [step(model, singer, optimizer, batch) for batch in batches(excerpts)]
        with torch.no_grad():
            singer.eval()
            held = [excerpt(song, np.random.default_rng(0), shift=0) for song in held_out]
            valid_loss = np.mean([float(loss_of(model, singer, batch)) for batch in batches(held)])
        print(f"epoch {epoch}: train {np.mean(losses):.3f}, valid {valid_loss:.3f}", flush=True)
        if valid_loss < best:
            best = valid_loss
            weights = {name: weight.half().numpy() for name, weight in singer.state_dict().items()}
            known = {"durations": durations.astype(np.float32), "rests": rests.astype(np.float32)}
            save_file(weights | known, folder / "weights.safetensors")


def most_common(values):
    """The most common of the values (n,), sorted."""
    known, counts = np.unique(values, return_counts=True)
    return np.sort(known[np.argsort(-counts, kind="stable")[:VALUES]])


def read(split, durations, rests):
    """Lyrics and notes of each song: int64 (n_syllables, 3) of pitch and indices of duration and rest."""
    songs = []
    for clip in split.clips:
        melody = split.targets[clip.id]()
        columns = [
            melody[:, 0].round().astype(int).clip(0, 127),
            np.abs(melody[:, 1:2] - durations).argmin(axis=1),
            np.abs(melody[:, 2:3] - rests).argmin(axis=1),
        ]
        songs.append((clip.inputs(), np.stack(columns, axis=1)))
    return songs


def excerpt(song, rng, shift):
    """At most EXCERPT syllables from a random place, moved by `shift` semitones."""
    lyrics, notes = song
    first = int(rng.integers(0, max(len(notes) - EXCERPT, 0) + 1))
    piece = slice(first, first + EXCERPT)
    notes = notes[piece] + np.array([shift, 0, 0])
    return {name: values[piece] for name, values in lyrics.items()}, notes.clip(0, 127)


def batches(excerpts):
    """Consecutive lists of BATCH excerpts."""
    return [excerpts[start : start + BATCH] for start in range(0, len(excerpts), BATCH)]


def step(model, singer, optimizer, batch):
    """One step down the loss of a batch; returns the loss."""
    loss = loss_of(model, singer, batch)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(singer.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def loss_of(model, singer, batch):
    """Cross-entropy of pitch, duration and rest together, nats a syllable."""
    grams, around, lengths = model.padded([lyrics for lyrics, _ in batch])
    after = torch.full((len(batch), grams.shape[1], 3), -100)
    silence = torch.tensor(
        [128, model.WIDEST, singer.duration.num_embeddings - 1, singer.rest.num_embeddings - 1]
    )
    before = silence.repeat(len(batch), grams.shape[1], 1)
    for index, (_, notes) in enumerate(batch):
        after[index, : len(notes)] = torch.from_numpy(notes)
        interval = np.diff(notes[:, 0], prepend=notes[0, 0]).clip(-model.WIDEST, model.WIDEST) + model.WIDEST
        sung = np.stack([notes[:, 0], interval, notes[:, 1], notes[:, 2]], axis=1)
        before[index, 1 : len(notes)] = torch.from_numpy(sung[:-1])
    logits, _ = singer.notes(singer.lyrics(grams, around, lengths), before)
    return sum(
        F.cross_entropy(part.flatten(0, 1), true.flatten())
        for part, true in zip(logits, after.unbind(2), strict=True)
    )


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

"""Factorise each training stem's magnitude spectra.

Half a minute of CPU time.
"""

import importlib.util
from pathlib import Path

import numpy as np
from sklearn.decomposition import NMF

N_SPECTRA = 48
N_FRAMES = 3000

spec = importlib.util.spec_from_file_location("nmf_predict", Path(__file__).with_name("predict.py"))
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)


def spectra(split):
    """Magnitude spectra of all songs, stem by stem: (n_stems, n_bins, n_frames of all songs)"""
    songs = []
    for clip in split.clips:
        stems = split.targets[clip.id]()
        songs.append(np.stack([model.magnitude(model.spectrogram(stem.T)) for stem in stems]))
    return np.concatenate(songs, axis=2)


def dictionary(magnitudes, rng):
    """(n_bins, n_frames) -> (n_bins, N_SPECTRA), from some of the frames that sound, made equally loud"""
    loud = magnitudes.sum(axis=0)
    sounding = np.flatnonzero(loud > 0.05 * loud.max())
    chosen = rng.choice(sounding, min(N_FRAMES, len(sounding)), replace=False)
    frames = magnitudes[:, chosen] / loud[chosen]
    factorised = NMF(
        N_SPECTRA,
        beta_loss="kullback-leibler",
        solver="mu",
        init="nndsvda",
        max_iter=200,
        tol=1e-3,
        random_state=0,
    ).fit(frames.T)
    words = factorised.components_.T
    return words / words.sum(axis=0)


def train(train, valid, folder):
    """Write weights.npz: the names of the stems and their dictionaries."""
    rng = np.random.default_rng(0)
    dictionaries = np.stack([dictionary(stem, rng) for stem in spectra(train)])
    np.savez_compressed(
        folder / "weights.npz", names=np.array(train.names), dictionaries=dictionaries.astype(np.float16)
    )


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

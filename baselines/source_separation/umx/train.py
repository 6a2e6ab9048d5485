"""Train the network to the SDR of its masked spectrograms, on crops of songs and on stems mixed at random.

Ten minutes of CPU time, on one thread.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch.nn import functional as F

STEPS = 600
CHECK_EVERY = 50
BATCH = 8
SECONDS = 3
FLOOR = 1e-3
"""Error and reference energies are not told apart below this share of the mixture's."""

spec = importlib.util.spec_from_file_location("umx_predict", Path(__file__).with_name("predict.py"))
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)


def read(split):
    """All songs' stems: list of float16 tensors (n_stems, n_channels, n_samples)"""
    targets = (split.targets[clip.id]() for clip in split.clips)
    return [torch.from_numpy(stems).transpose(1, 2).half() for stems in targets]


def crop(stems, rng):
    """A random part of a song's stems, faster or slower, channels weighted: (n_stems, SECONDS * SR)"""
    n_samples = SECONDS * model.SR
    speed = 2 ** rng.uniform(-1 / 3, 1 / 3)  # four semitones either way: as good as other instruments
    length = min(round(n_samples * speed), stems.shape[2])
    start = int(rng.integers(stems.shape[2] - length + 1))
    weights = torch.tensor(rng.dirichlet(np.ones(stems.shape[1])), dtype=torch.float32)
    mono = torch.einsum("sct,c->st", stems[:, :, start : start + length].float(), weights)
    return F.interpolate(mono[None], size=n_samples, mode="linear")[0]


def example(songs, rng):
    """Stems that make up a mixture, (n_stems, n_samples): half of the time each from another song."""
    if rng.random() < 0.5:
        stems = crop(songs[rng.integers(len(songs))], rng)
    else:
        chosen = rng.integers(len(songs), size=len(songs[0]))
        stems = torch.cat([crop(songs[song][stem : stem + 1], rng) for stem, song in enumerate(chosen)])
    gains = 10 ** (rng.uniform(-6, 6, (len(stems), 1)) / 20)
    return stems * torch.tensor(gains, dtype=torch.float32)


def batch(songs, rng, size=BATCH):
    """(size, n_stems, n_samples)"""
    return torch.stack([example(songs, rng) for _ in range(size)]).to(model.DEVICE)


def loss_of(network, stems):
    """Negative SDR in dB, averaged over stems and seconds, of stems (n_clips, n_stems, n_samples).

    A mask m is constant within a band, so the error |s - m x|² is |s|² - 2 m Re(s x*) + m² |x|² of the band.
    """
    spectra = model.spectrogram(stems)  # complex (n_clips, n_stems, n_bins, n_frames)
    mixture = spectra.sum(dim=1, keepdim=True)
    products = (mixture.abs().square(), spectra.abs().square(), (spectra * mixture.conj()).real)
    mixed, true, common = (network.gather(product) for product in products)
    masks = network.masks(mixed[:, 0])
    error = true - 2 * masks * common + masks.square() * mixed
    mixed, true, error = (
        F.avg_pool1d(energy.sum(dim=2), model.SR // model.HOP) for energy in (mixed, true, error)
    )
    return (10 * torch.log10((error + FLOOR * mixed + 1e-8) / (true + FLOOR * mixed + 1e-8))).mean()


def normalise(network, stems):
    """Let the network know the mean and deviation of its bands' levels."""
    with torch.no_grad():
        power = network.gather(model.spectrogram(stems.sum(dim=1)).abs().square())
        levels = network.levels(power).transpose(1, 2).flatten(0, 1)
    network.mean.copy_(levels.mean(dim=0))
    network.deviation.copy_(levels.std(dim=0) + 1e-3)


def train(train, valid, folder):
    """Keep in weights.safetensors, as float16, the weights that the validation songs liked best."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    songs = read(train)
    held_out = batch(read(valid), np.random.default_rng(1), 24)
    network = model.Network(len(train.names)).to(model.DEVICE)
    normalise(network, batch(songs, rng, 48))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    losses, best = [], np.inf
    for step in range(1, STEPS + 1):
        loss = loss_of(network, batch(songs, rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % CHECK_EVERY == 0:
            with torch.no_grad():
                checked = loss_of(network, held_out).item()
            print(
                f"step {step}: train {-np.mean(losses[-CHECK_EVERY:]):.2f} dB, valid {-checked:.2f} dB",
                flush=True,
            )
            if checked < best:
                best = checked
                keep(network, train.names, folder)


def keep(network, names, folder):
    """Write the weights, in half precision, and the names of the stems in their order."""
    weights = {name: weight.half().cpu().contiguous() for name, weight in network.state_dict().items()}
    (folder / "weights.safetensors").write_bytes(save(weights, metadata={"names": ";".join(names)}))


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

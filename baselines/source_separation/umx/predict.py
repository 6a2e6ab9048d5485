"""A recurrent mask network after Open-Unmix (F.-R. Stöter et al., JOSS 4(41), 2019), small enough for a CPU.

Unlike Open-Unmix, one network masks all stems, its masks sum to one, so that the estimates sum to the
mixture, and the upper spectrum is gathered into bands. The masks are common to all channels, so mono and
stereo work alike.

SDR on the hidden split of seed 1: 5.38 dB, 95 % interval 4.64 to 5.97.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchaudio
from safetensors import safe_open
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SR = 44100
N_FFT = 4096
HOP = 1024
N_BINS = N_FFT // 2 + 1
N_SINGLE = 256
"""The lowest bins, up to 2.8 kHz, are bands of their own."""
N_BANDS = 320
EPS = 1e-6
said = set()


def band_of_bin():
    """The band of each bin, int64 (N_BINS,): single bins, then bands that widen with frequency."""
    edges = np.geomspace(N_SINGLE, N_BINS, N_BANDS - N_SINGLE + 1).round()
    wide = N_SINGLE + np.searchsorted(edges, np.arange(N_SINGLE, N_BINS), side="right") - 1
    return torch.from_numpy(np.concatenate([np.arange(N_SINGLE), wide]))


class Network(nn.Module):
    """Masks of all stems from a mixture's power spectrogram."""

    def __init__(self, n_stems, width=192, hidden=128):
        super().__init__()
        self.n_stems = n_stems
        self.register_buffer("bands", band_of_bin(), persistent=False)
        self.register_buffer("mean", torch.zeros(N_BANDS))
        self.register_buffer("deviation", torch.ones(N_BANDS))
        self.encode = nn.Sequential(nn.Linear(N_BANDS, width), nn.LayerNorm(width), nn.Tanh())
        self.recur = nn.GRU(width, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.decode = nn.Linear(width + 2 * hidden, n_stems * N_BANDS)

    def gather(self, bins):
        """Sum bins into bands: (..., N_BINS, n_frames) -> (..., N_BANDS, n_frames)"""
        banded = torch.zeros(*bins.shape[:-2], N_BANDS, bins.shape[-1], device=bins.device)
        return banded.index_add(-2, self.bands, bins)

    def levels(self, power):
        """Power in bands -> its log relative to the clip's mean, both (n_clips, N_BANDS, n_frames)"""
        return torch.log(power / (power.mean(dim=(1, 2), keepdim=True) + EPS) + 1e-4)

    def masks(self, power):
        """Power in bands (n_clips, N_BANDS, n_frames) -> (n_clips, n_stems, N_BANDS, n_frames), 1 in all"""
        levels = (self.levels(power).transpose(1, 2) - self.mean) / self.deviation
        encoded = self.encode(levels)  # (n_clips, n_frames, width)
        recurrent, _ = self.recur(encoded)
        logits = self.decode(torch.cat([encoded, recurrent], dim=2))
        return logits.unflatten(2, (self.n_stems, N_BANDS)).softmax(dim=2).permute(0, 2, 3, 1)

    def forward(self, power):
        """Power (n_clips, N_BINS, n_frames) -> masks (n_clips, n_stems, N_BINS, n_frames)"""
        return self.masks(self.gather(power))[:, :, self.bands]


FRAMES = {"n_fft": N_FFT, "hop_length": HOP, "pad_mode": "constant"}
spectrogram = torchaudio.transforms.Spectrogram(**FRAMES, power=None).to(DEVICE)
inverse = torchaudio.transforms.InverseSpectrogram(**FRAMES).to(DEVICE)


def at_rate(audio, old, new):
    """Resample a tensor (..., n_samples) where the rates differ."""
    return audio if old == new else torchaudio.functional.resample(audio, old, new)


def separate(audio, sr):
    """Tensor (n_channels, n_samples) -> (n_stems, n_channels, n_samples)"""
    spectra = spectrogram(at_rate(audio, sr, SR))  # complex (n_channels, N_BINS, n_frames)
    masks = NETWORK(spectra.abs().square().mean(dim=0, keepdim=True))[0]
    n_samples = -(-audio.shape[1] * SR // sr)
    stems = [inverse(mask * spectra, n_samples) for mask in masks]
    return at_rate(torch.stack(stems), SR, sr)[..., : audio.shape[1]]


def named(estimates, mixture, stems):
    """One estimate for each of `stems`: those we know, and an even share of the rest for every other.

    estimates: dict of float32 (n_samples, n_channels), as mixture -> float32 (n_stems, *mixture.shape)
    """
    unknown = [name for name in stems if name not in estimates]
    if unknown and not said.issuperset(unknown):
        said.update(unknown)
        print(
            f"Not trained on {', '.join(unknown)}: they share what is left of the mixture.", file=sys.stderr
        )
    rest = mixture - sum(estimates[name] for name in stems if name in estimates)
    return np.stack([estimates.get(name, rest / max(len(unknown), 1)) for name in stems]).astype(np.float32)


@torch.inference_mode()
def predict(audio, sr, stems):
    """audio: float32 (n_samples, n_channels), sr: Hz, stems: list of str

    -> float32 (n_stems, n_samples, n_channels)
    """
    found = separate(torch.from_numpy(audio.T.copy()).to(DEVICE), sr).transpose(1, 2).cpu().numpy()
    return named(dict(zip(NAMES, found, strict=True)), audio, stems)


def predict_batch(songs):
    """List of predict's arguments -> list of answers. Songs go one at a time: each fills the processor."""
    return [predict(**song) for song in songs]


if WEIGHTS.is_file():  # train.py, which writes it, imports this file too
    with safe_open(WEIGHTS, "pt") as file:
        NAMES = file.metadata()["names"].split(";")
        NETWORK = Network(len(NAMES))
        names = file.keys()
        NETWORK.load_state_dict({name: file.get_tensor(name).float() for name in names})
    NETWORK.to(DEVICE).eval()

"""Train the network: cross-entropy of family and of pitch, with noise, bands and frames masked at random.

Trained on the embedded data in 5 CPU minutes.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

spec = importlib.util.spec_from_file_location("cnn_predict", Path(__file__).with_name("predict.py"))
predict = importlib.util.module_from_spec(spec)
spec.loader.exec_module(predict)

EPOCHS = 30
BATCH = 32
UNKNOWN = -100
"""The pitch of a note that has none: cross-entropy passes over it."""


def read(split):
    """-> log-mels, pitch spectra, families (n_clips,), pitches (n_clips,) as indices"""
    mels, spectra = [], []
    for clip in split.clips:
        given = clip.inputs()
        audio = predict.two_seconds(given["audio"], given["sr"])[None]
        mels.append(predict.log_mel(audio))
        spectra.append(predict.pitch_spectrum(audio))
    targets = [split.targets[clip.id]() for clip in split.clips]
    families = torch.tensor([int(target["family"].argmax()) for target in targets])
    pitches = np.array([float(target["pitch"]) for target in targets])
    index = np.clip(np.nan_to_num(np.round(pitches)) - predict.LOWEST, 0, predict.N_PITCHES - 1)
    index = torch.as_tensor(np.where(np.isnan(pitches), UNKNOWN, index), dtype=torch.long)
    return torch.cat(mels), torch.cat(spectra), families, index


def masked(mels, generator):
    """Log-mels with noise, a louder or softer tilt of the spectrum, and a band and some frames masked."""
    tilt = torch.randn(len(mels), 1, 1, generator=generator) * torch.linspace(-1, 1, mels.shape[1])[:, None]
    mels = mels + 0.5 * tilt + 0.2 * torch.randn(mels.shape, generator=generator)
    band, frame = (int(torch.randint(n - 16, (), generator=generator)) for n in mels.shape[1:])
    mels[:, band : band + 8] = mels.mean()
    mels[:, :, frame : frame + 16] = mels.mean()
    return mels


def train(train, valid, folder):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    mels, spectra, families, pitches = read(train)
    held_out = read(valid)
    network = predict.Network(len(train.names)).to(predict.DEVICE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=2e-2)
    steps = EPOCHS * -(-len(mels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    best = -1.0
    for epoch in range(EPOCHS):
        network.train()
        for index in torch.randperm(len(mels), generator=generator).split(BATCH):
            heard = masked(mels[index], generator), spectra[index]
            family, pitch = network(*(part.to(predict.DEVICE) for part in heard))
            loss = F.cross_entropy(family.cpu(), families[index], label_smoothing=0.1)
            if (pitches[index] != UNKNOWN).any():
                loss = loss + F.cross_entropy(pitch.cpu(), pitches[index], ignore_index=UNKNOWN)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        accuracy, pitch_accuracy = validate(network, *held_out)
        print(
            f"epoch {epoch + 1}/{EPOCHS}: validation {accuracy:.3f}, pitch {pitch_accuracy:.3f}", flush=True
        )
        if accuracy + 0.1 * pitch_accuracy > best:
            best = accuracy + 0.1 * pitch_accuracy
            weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
            save_file(weights, folder / "weights.safetensors", metadata={"classes": "\n".join(train.names)})


def validate(network, mels, spectra, families, pitches):
    """-> accuracy of family, accuracy of pitch"""
    network.eval()
    with torch.inference_mode():
        family, pitch = network(mels.to(predict.DEVICE), spectra.to(predict.DEVICE))
    right = family.cpu().argmax(dim=1) == families, pitch.cpu().argmax(dim=1) == pitches
    return tuple(float(hits.float().mean()) for hits in right)


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

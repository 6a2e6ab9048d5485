"""Train the network with binary cross-entropy, clips mixed in pairs and bands and frames masked at random.

Trained on the embedded data in 3 CPU minutes.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

spec = importlib.util.spec_from_file_location("cnn_predict", Path(__file__).with_name("predict.py"))
predict = importlib.util.module_from_spec(spec)
spec.loader.exec_module(predict)

EPOCHS = 24
BATCH = 32


def read(split):
    """-> log-mels (n_clips, n_bands, n_frames) cut or repeated to the commonest length, targets (n_clips, n_tags)

    A target is 1 or 0, or NaN where it is not known.
    """
    mels = [
        predict.features(given["audio"], given["sr"]) for given in (clip.inputs() for clip in split.clips)
    ]
    n_frames = int(np.median([mel.shape[1] for mel in mels]))
    cut = [mel.repeat(1, -(-n_frames // mel.shape[1]))[:, :n_frames] for mel in mels]
    targets = np.stack([split.targets[clip.id]() for clip in split.clips])
    return torch.stack(cut), torch.as_tensor(targets, dtype=torch.float32)


def augmented(mels, targets, generator):
    """Each clip shifted in time, mixed with another (power added, tags joined), and partly masked."""
    shift = int(torch.randint(mels.shape[2], (), generator=generator))
    mels = mels.roll(shift, dims=2)
    other = torch.randperm(len(mels), generator=generator)
    level = torch.rand(len(mels), 1, 1, generator=generator) * 4 - 2  # in nepers of power
    mixed = torch.rand(len(mels), generator=generator) < 0.5
    louder = torch.logaddexp(mels, mels[other] + level)
    mels = torch.where(mixed[:, None, None], louder, mels)
    either = torch.maximum(targets, targets[other])  # not known where one of them is not …
    either[(targets == 1) | (targets[other] == 1)] = 1  # … unless the other has it
    targets = torch.where(mixed[:, None], either, targets)
    band, frame = (int(torch.randint(n - 8, (), generator=generator)) for n in mels.shape[1:])
    mels = mels.clone()
    mels[:, band : band + 8] = mels.mean()
    mels[:, :, frame : frame + 6] = mels.mean()
    return mels, targets


def train(train, valid, folder):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    mels, targets = read(train)
    valid_mels, valid_targets = read(valid)
    network = predict.Network(len(train.names)).to(predict.DEVICE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = EPOCHS * -(-len(mels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    best = -1.0
    for epoch in range(EPOCHS):
        network.train()
        for index in torch.randperm(len(mels), generator=generator).split(BATCH):
            heard, wanted = augmented(mels[index], targets[index], generator)
            known = ~wanted.isnan()
            odds = network(heard.to(predict.DEVICE))[known.to(predict.DEVICE)]
            loss = F.binary_cross_entropy_with_logits(odds, wanted[known].to(predict.DEVICE), reduction="sum")
            loss = loss / max(1, int(known.sum()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        score = validate(network, valid_mels, valid_targets)
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {loss.item():.3f}, validation mAP {score:.3f}", flush=True)
        if score > best:
            best = score
            weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
            save_file(weights, folder / "weights.safetensors", metadata={"tags": "\n".join(train.names)})


def validate(network, mels, targets):
    network.eval()
    with torch.inference_mode():
        scores = torch.cat([network(part.to(predict.DEVICE)).cpu() for part in mels.split(BATCH)])
    pairs = [(tag, ~tag.isnan(), odds) for tag, odds in zip(targets.T, scores.T, strict=True)]
    return np.mean(
        [average_precision_score(tag[known], odds[known]) for tag, known, odds in pairs if (tag == 1).any()]
    )


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

"""Train the network on one split; choose each class's threshold, and the best epoch, on another.

It took 195 CPU seconds on one thread.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

EPOCHS = 25
BATCH = 16
THRESHOLDS = torch.linspace(0.05, 0.95, 37)

spec = importlib.util.spec_from_file_location("crnn_predict", Path(__file__).parent / "predict.py")
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)


def train(train, valid, folder):
    """Write weights.safetensors and classes.txt into the folder."""
    torch.manual_seed(0)
    clips, checks = clips_of(train), clips_of(valid)
    network = model.Network(len(train.names))
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    n_steps = EPOCHS * -(-len(clips) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=n_steps)
    best, chosen = -1.0, None
    for epoch in range(EPOCHS):
        network.train()
        for batch in torch.randperm(len(clips)).split(BATCH):
            power, active = batch_of([clips[number] for number in batch])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                network(model.log_level(power)), active
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        score, thresholds = check(network, checks)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, macro-F1 on valid {score:.3f}", flush=True)
        if score > best:
            best = score
            chosen = {name: weight.clone() for name, weight in network.state_dict().items()}
            # The bias takes the threshold in, so that 0.5 is where a class is active.
            chosen["output.1.bias"] -= torch.logit(thresholds)
    save_file(chosen, folder / "weights.safetensors")
    (folder / "classes.txt").write_text("\n".join(train.names), encoding="utf-8")


def clips_of(split):
    """Each clip's power (BANDS, n_columns) and activity (n_frames, n_classes)."""
    found = []
    for clip in split.clips:
        inputs = clip.inputs()
        active = torch.from_numpy(split.targets[clip.id]().astype(np.float32))
        found.append((model.features(inputs["audio"], inputs["sr"]), active))
    return found


def batch_of(clips):
    """Crops of one length, made to differ: three in ten mixed with another, moved by a band, filtered."""
    length = min(len(active) for _, active in clips)
    powers, actives = [], []
    for power, active in clips:
        start = int(torch.randint(len(active) - length + 1, ()))
        crop = power[:, model.COLUMNS * start : model.COLUMNS * (start + length)]
        powers.append(crop / crop.mean().clamp(min=1e-10))
        actives.append(active[start : start + length])
    power, active = torch.stack(powers), torch.stack(actives)
    mixed = (torch.rand(len(clips), 1, 1) < 0.3).float()
    gain = 10 ** (torch.rand(len(clips), 1, 1) - 0.5)
    power = power + mixed * gain * power.flip(0)
    active = torch.maximum(active, mixed * active.flip(0))
    power = torch.stack([clip.roll(int(torch.randint(-1, 2, ())), 0) for clip in power])
    bends = torch.randn(len(clips), 1, 6) * 0.5
    curve = torch.nn.functional.interpolate(bends, model.BANDS, mode="linear", align_corners=True)
    return power * curve.transpose(1, 2).exp(), active


@torch.no_grad()
def check(network, clips):
    """Macro-F1 with each class's best threshold, and these thresholds (n_classes,)."""
    network.eval()
    odds = [network(model.log_level(power)[None])[0] for power, _ in clips]
    scores, active = torch.sigmoid(torch.cat(odds)), torch.cat([active for _, active in clips])
    f1 = torch.stack([f1_of(active, (scores >= threshold).float()) for threshold in THRESHOLDS])
    best, index = f1.max(dim=0)
    occurring = active.sum(0) > 0
    return best[occurring].mean().item(), THRESHOLDS[index]


def f1_of(active, answered):
    """F1 of each class, (n_classes,)."""
    return 2 * (active * answered).sum(0) / (active.sum(0) + answered.sum(0)).clamp(min=1)


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

"""Count the tags of the training clips."""

import json

import numpy as np


def train(train, valid, folder):
    targets = np.stack([train.targets[clip.id]().astype(np.float32) for clip in train.clips])
    known = np.maximum((~np.isnan(targets)).sum(axis=0), 1)  # of some clips it may not be known
    shares = dict(zip(train.names, ((targets == 1).sum(axis=0) / known).tolist(), strict=True))
    (folder / "shares.json").write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

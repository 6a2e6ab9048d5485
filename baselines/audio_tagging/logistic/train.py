"""Fit one logistic regression a tag; the strength of the penalty is chosen on the validation split.

Trained on the embedded data in 10 CPU seconds.
"""

import importlib.util
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

spec = importlib.util.spec_from_file_location("logistic_predict", Path(__file__).with_name("predict.py"))
predict = importlib.util.module_from_spec(spec)
spec.loader.exec_module(predict)


def read(split):
    """-> features (n_clips, n_features), targets bool (n_clips, n_tags)"""
    inputs = (clip.inputs() for clip in split.clips)
    features = np.stack([predict.features(given["audio"], given["sr"]) for given in inputs])
    return features, np.stack([split.targets[clip.id]() for clip in split.clips])


def fit(features, targets, penalty):
    """-> coefficients (n_tags, n_features), intercepts (n_tags,)"""
    models = [
        LogisticRegression(C=penalty, tol=1e-3, max_iter=500, class_weight="balanced").fit(features, has_tag)
        for has_tag in targets.T
    ]
    return np.concatenate([model.coef_ for model in models]), np.concatenate(
        [model.intercept_ for model in models]
    )


def train(train, valid, folder):
    features, targets = read(train)
    known = targets.any(axis=0) & ~targets.all(
        axis=0
    )  # nothing is learnt of a tag that all clips have, or none
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    features = (features - mean) / deviation
    valid_features, valid_targets = read(valid)
    valid_features = (valid_features - mean) / deviation
    scored = valid_targets[:, known].any(axis=0)
    best = None
    for penalty in (1e-3, 3e-3, 1e-2):
        coefficients, intercepts = fit(features, targets[:, known], penalty)
        odds = valid_features @ coefficients.T + intercepts
        score = average_precision_score(valid_targets[:, known][:, scored], odds[:, scored], average="macro")
        print(f"C = {penalty}: validation mAP {score:.3f}")
        if best is None or score > best[0]:
            best = (score, coefficients, intercepts)
    np.savez_compressed(
        folder / "weights.npz",
        tags=np.array(train.names)[known],
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        coefficients=best[1].astype(np.float32),
        intercepts=best[2].astype(np.float32),
    )


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

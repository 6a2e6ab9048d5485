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
    """-> features (n_clips, n_features), targets (n_clips, n_tags): 1 or 0, or NaN where it is not known"""
    inputs = (clip.inputs() for clip in split.clips)
    features = np.stack([predict.features(given["audio"], given["sr"]) for given in inputs])
    return features, np.stack([split.targets[clip.id]().astype(np.float32) for clip in split.clips])


def fit(features, targets, penalty):
    """-> coefficients (n_tags, n_features), intercepts (n_tags,)"""
    models = [
        LogisticRegression(C=penalty, tol=1e-3, max_iter=500, class_weight="balanced").fit(
            features[known], has_tag[known]
        )
        for has_tag, known in zip(targets.T, ~np.isnan(targets).T, strict=True)
    ]
    return np.concatenate([model.coef_ for model in models]), np.concatenate(
        [model.intercept_ for model in models]
    )


def mean_average_precision(targets, odds):
    known = ~np.isnan(targets)
    scored = np.flatnonzero((targets == 1).any(axis=0))
    return np.mean(
        [average_precision_score(targets[known[:, tag], tag], odds[known[:, tag], tag]) for tag in scored]
    )


def train(train, valid, folder):
    features, targets = read(train)
    # Nothing is learnt of a tag that all clips have, or none.
    learnt = (targets == 1).any(axis=0) & (targets == 0).any(axis=0)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    features = (features - mean) / deviation
    valid_features, valid_targets = read(valid)
    valid_features = (valid_features - mean) / deviation
    best = None
    for penalty in (1e-3, 3e-3, 1e-2):
        coefficients, intercepts = fit(features, targets[:, learnt], penalty)
        odds = valid_features @ coefficients.T + intercepts
        score = mean_average_precision(valid_targets[:, learnt], odds)
        print(f"C = {penalty}: validation mAP {score:.3f}")
        if best is None or score > best[0]:
            best = (score, coefficients, intercepts)
    np.savez_compressed(
        folder / "weights.npz",
        tags=np.array(train.names)[learnt],
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        coefficients=best[1].astype(np.float32),
        intercepts=best[2].astype(np.float32),
    )


if __name__ == "__main__":
    from earmark.training import main

    main(train, __file__)

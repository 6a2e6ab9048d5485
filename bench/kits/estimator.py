"""A tagger handed in to ramp-workflow: trained before, so that there is nothing to fit."""

import numpy as np
import tagging_job as job
from predict import predict
from sklearn.base import BaseEstimator


class Tagger(BaseEstimator):
    """Scores of tags from paths of clips."""

    def fit(self, clips: np.ndarray, targets: np.ndarray) -> "Tagger":  # noqa: ARG002 - scikit-learn's signature
        return self

    def predict(self, clips: np.ndarray) -> np.ndarray:
        return job.answers(predict, clips)


def get_estimator() -> Tagger:
    return Tagger()

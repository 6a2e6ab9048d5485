"""Kept predictions: what is written is read, whole or not at all."""

import numpy as np
import pytest

from earmark.errors import OurFault
from earmark.predictions import PredictionWriter, kept_predictions


def test_answers_come_back_as_they_were(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    parts = {"family": array[0], "pitch": np.float32(60.0)}
    ids = ["../a", "b.npy", "c"]
    with PredictionWriter(tmp_path / "run.npz", ids) as writer:
        writer.add("c", parts)
        writer.add("../a", array)
    with kept_predictions(tmp_path / "run.npz") as answer_to:
        np.testing.assert_array_equal(answer_to("../a"), array)
        assert answer_to("b.npy") is None
        kept = answer_to("c")
        assert kept.keys() == parts.keys()
        np.testing.assert_array_equal(kept["family"], parts["family"])
        assert kept["pitch"] == 60.0
        assert kept["pitch"].dtype == np.float32


def test_a_run_that_breaks_off_leaves_no_file(tmp_path):
    def break_off() -> None:
        with PredictionWriter(tmp_path / "run.npz", ["a"]) as writer:
            writer.add("a", np.zeros(3))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_objects_are_not_written(tmp_path):
    with (
        pytest.raises(ValueError, match="allow_pickle"),
        PredictionWriter(tmp_path / "r.npz", ["a"]) as writer,
    ):
        writer.add("a", np.array([object()]))


def test_predictions_that_are_gone_are_our_fault(tmp_path):
    with pytest.raises(OurFault, match="not kept any more"), kept_predictions(tmp_path / "gone.npz"):
        pass


def test_without_a_file_there_is_no_answer():
    with kept_predictions(None) as answer_to:
        assert answer_to("a") is None

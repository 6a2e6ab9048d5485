"""Multiply-adds of torch's layers, against torch's own counter where it can count, else by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from earmark.submissions.limits import Limits
from earmark.submissions.multiply_adds import counting
from earmark.submissions.session import Session


def counted(model, *inputs):
    with torch.inference_mode(), counting() as counts:
        model(*inputs)
    return sum(counts)


LAYERS = [
    (nn.Linear(7, 5), torch.zeros(3, 2, 7)),
    (nn.Conv1d(4, 6, 3, stride=2, groups=2), torch.zeros(2, 4, 50)),
    (nn.Conv2d(1, 8, (3, 5), padding=2, dilation=2), torch.zeros(2, 1, 30, 40)),
    (nn.ConvTranspose1d(6, 4, 8, stride=4, groups=2), torch.zeros(2, 6, 20)),
    (nn.ConvTranspose2d(6, 4, (8, 3), stride=(4, 1)), torch.zeros(2, 6, 20, 9)),
]


@pytest.mark.parametrize(("layer", "given"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS])
def test_as_torch_counts(layer, given):
    with torch.inference_mode(), FlopCounterMode(display=False) as flops:
        layer(given)
    assert counted(layer, given) == flops.get_total_flops() // 2 > 0


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_as_torch_counts_its_parts(batch_first):
    layer = nn.MultiheadAttention(12, 3, batch_first=batch_first).eval()
    x = torch.zeros((2, 10, 12) if batch_first else (10, 2, 12))
    by_hand = 2 * (4 * 10 * 12 * 12 + 2 * 10 * 10 * 12)
    assert counted(layer, x, x, x) == by_hand


def test_a_transformer_has_no_shorter_way_meanwhile():
    layer = nn.TransformerEncoderLayer(12, 3, dim_feedforward=20, batch_first=True).eval()
    before = torch.backends.mha.get_fastpath_enabled()
    by_hand = 2 * (4 * 10 * 12 * 12 + 2 * 10 * 10 * 12 + 2 * 10 * 12 * 20)
    assert counted(layer, torch.zeros(2, 10, 12)) == by_hand
    assert torch.backends.mha.get_fastpath_enabled() == before


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
def test_recurrent_layers_by_hand():
    x = torch.zeros(2, 10, 7)  # 20 steps
    assert counted(nn.RNN(7, 5), x) == 20 * 5 * (7 + 5)
    assert counted(nn.GRU(7, 5, batch_first=True, bidirectional=True), x) == 2 * 20 * 3 * 5 * (7 + 5)
    assert counted(nn.LSTM(7, 5, num_layers=2), x) == 20 * 4 * 5 * ((7 + 5) + (5 + 5))
    assert counted(nn.LSTM(7, 5, proj_size=3), x) == 20 * (4 * 5 * (7 + 3) + 3 * 5)
    packed = nn.utils.rnn.pack_padded_sequence(x, [10, 4], batch_first=True)  # 14 steps
    assert counted(nn.LSTM(7, 5), packed) == 14 * 4 * 5 * (7 + 5)


def test_nothing_is_left_of_the_counting():
    layer = nn.Linear(7, 5)
    with counting() as counts:
        layer(torch.zeros(7))
    layer(torch.zeros(7))
    assert counts == [35]


PREDICT = """
import torch
layer = torch.nn.Linear(4, 3)
def predict(audio, sr):
    with torch.inference_mode():
        return layer(torch.from_numpy(audio).reshape(-1, 4)).mean(0)
"""


@pytest.mark.system("bubblewrap")
def test_a_session_tells_them_for_a_second_of_audio(tmp_path):
    (tmp_path / "predict.py").write_text(PREDICT)
    clip = {"audio": np.zeros(8000, np.float32), "sr": 4000}
    with Session(tmp_path, limits=Limits()) as session:
        session.predict([clip, clip], [np.zeros(3, np.float32)] * 2)
    assert session.spent.multiply_adds == 4000 * 3


@pytest.mark.parametrize("said", ["-1", "2.5", "'many'", "1 << 70", "(1 << 62) - 1", "True"])
def test_what_a_worker_says_of_it_is_a_number_or_nothing(tmp_path, said):
    program = f"""
import sys
worker = sys.modules["__main__"]
plain = worker.Model.answer
worker.Model.answer = lambda model, request: plain(model, request) | {{"multiply_adds": {said}}}
def predict(audio, sr): return audio[:3]
"""
    (tmp_path / "predict.py").write_text(program)
    with Session(tmp_path, limits=Limits(), isolation="none") as session:
        [reply] = session.predict([{"audio": np.zeros(8, np.float32), "sr": 80}], [np.zeros(3, np.float32)])
    assert reply.verdict is None, reply.message
    assert session.spent.multiply_adds is None

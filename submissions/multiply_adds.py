"""How many multiply-adds torch's layers take: counted as a model calls them, by the shapes that go in and come out.

A worker's file, like protocol.py: it stands alone, and the student's code shares its process. Counted are linear,
convolution, recurrent and attention layers (torch.nn.Linear and so on), as is the custom of model cards; not
activations, norms, products of tensors written out by hand, or models compiled to TorchScript, which call no layer.
torch's own FlopCounterMode takes two seconds to start and finds nothing in an LSTM on a CPU.
"""

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def linear(layer: Any, _given: tuple[Any, ...], made: Any) -> int:
    return int(made.numel() * layer.in_features)


def convolution(layer: Any, given: tuple[Any, ...], made: Any) -> int:
    """Of each output, or of each input where the convolution is transposed."""
    transposed = layer.transposed
    channels = layer.out_channels if transposed else layer.in_channels
    places = given[0].numel() if transposed else made.numel()
    return int(places * channels // layer.groups * math.prod(layer.kernel_size))


def recurrent(layer: Any, given: tuple[Any, ...], _made: Any) -> int:
    """Of all gates, in each step, direction and layer, and of the projection of an LSTM that has one."""
    steps = (given[0].data if hasattr(given[0], "batch_sizes") else given[0]).numel() // layer.input_size
    directions = 2 if layer.bidirectional else 1
    said = layer.proj_size or layer.hidden_size
    total = 0
    for depth in range(layer.num_layers):
        heard = layer.input_size if depth == 0 else said * directions
        total += GATES[layer.mode.split("_")[0]] * layer.hidden_size * (heard + said)
        total += layer.proj_size * layer.hidden_size
    return int(steps * directions * total)


def attention(layer: Any, given: tuple[Any, ...], _made: Any) -> int:
    """Of the four projections and of the two products of queries with keys and values."""
    query, key, value = given[:3]
    width = layer.embed_dim
    n_batch = math.prod(query.shape[:-1]) // query.shape[int(layer.batch_first and query.dim() == 3)]
    n_keys = math.prod(key.shape[:-1]) // n_batch
    projected = 2 * query.numel() + key.numel() + value.numel()
    return int(projected * width + 2 * query.numel() * n_keys)


def counters(torch: Any) -> dict[type, Callable[[Any, tuple[Any, ...], Any], int]]:
    """How the layers of each class are counted."""
    nn = torch.nn
    convolutions = [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    convolutions += [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d]
    return {
        nn.Linear: linear,
        nn.MultiheadAttention: attention,
        **dict.fromkeys(convolutions, convolution),
        **dict.fromkeys((nn.LSTM, nn.GRU, nn.RNN), recurrent),
    }


@contextlib.contextmanager
def counting() -> Iterator[list[int]]:
    """Counts of the layers that are called meanwhile; none where torch is not imported, or can't tell."""
    found: list[int] = []
    torch: Any = sys.modules.get("torch")
    try:
        by_class = counters(torch)

        def hook(layer: Any, given: tuple[Any, ...], made: Any) -> None:
            with contextlib.suppress(Exception):  # what can't be counted is no reason to fail a clip
                found.extend(
                    count(layer, given, made) for kind, count in by_class.items() if isinstance(layer, kind)
                )

        handle = sys.modules["torch.nn.modules.module"].register_module_forward_hook(hook)
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # it calls no layer
    except Exception:  # noqa: BLE001 - no torch, or another than we know
        yield found
        return
    try:
        yield found
    finally:
        handle.remove()
        torch.backends.mha.set_fastpath_enabled(fast)

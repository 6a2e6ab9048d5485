"""Likeness of weights: tensors of the same numbers, and units whose weights point the same way.

A *unit* is a row of a tensor, or of its second axis: the weights into one neuron, filter or class, or those out of it.
Each of a layer's units is compared with all units of the other model that have as many weights, whatever layer they
are in, and the largest |cosine| counts; the mean over the layer is its likeness. Neither the order of units nor their
scale nor the name or order of layers matters, nor whether a matrix is stored transposed. Where units of one layer
were permuted, so are the weights of the next; `aligned.py` undoes that.

How large a cosine is by chance depends on how many weights a unit has and among how many the largest is taken: see
`chance`. Layers in which chance alone makes VAGUE are not compared.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float32]

UNITS, WEIGHTS = 32, 256
"""At most so many units of a layer are looked for, by so many of their weights: drawn by a fixed seed."""
FEWEST = 4
"""Units a layer must have."""
OUTLYING = 4
"""Times the median of a unit's weights: what is larger counts as that, so that one weight can't drown the others."""
PADDED = 20
"""A unit may be longer than another by one in so many of its weights, or by four, and is compared without them."""
VAGUE = 0.75
AXES = (0, 1)


@dataclass(frozen=True)
class Layer:
    """A tensor with two axes or more."""

    name: str
    values: NDArray[np.float16]
    """Divided by the median, since only directions count."""
    digest: str
    """Of its numbers in half precision, whatever their order: the same for a copy that was permuted or cast."""

    def units(self, axis: int) -> Floats:
        """(n_units, n_weights) along an axis, float32, of length 1."""
        return unit_rows(np.moveaxis(self.values, axis, 0).reshape(self.values.shape[axis], -1))


@dataclass(frozen=True)
class Model:
    """The weights of one submission."""

    layers: Sequence[Layer]
    pools: Mapping[int, Floats]
    """By the weights of a unit: all units with as many, (n_units, at most WEIGHTS)."""
    asked: Mapping[tuple[int, int], tuple[int, Floats]]
    """By layer and axis: the weights of a unit, and the units that are looked for, (at most UNITS, at most WEIGHTS)."""
    size: int
    """Numbers in its layers."""


@dataclass(frozen=True)
class Found:
    """How much of a layer was found in another model."""

    cosine: float
    """The mean over its units of the largest |cosine|, along the axis where it exceeds chance the most."""
    chance: float
    """What that would be of random weights."""

    def above(self, floor: float = 0.0) -> float:
        """0 for what is expected by chance, or for `floor` if that is more; 1 for a copy."""
        expected = max(self.chance, floor)
        return max(0.0, (self.cosine - expected) / (1 - expected)) if expected < 1 else 0.0


def read_model(tensors: Mapping[str, NDArray[np.floating]]) -> Model:
    """A submission's tensors, made ready to be compared; biases and what has one value alone are left out."""
    wide = {name: np.squeeze(values) for name, values in tensors.items()}
    layers = [
        _layer(name, values)
        for name, values in wide.items()
        if values.ndim > 1 and values.size and values.min() < values.max()
    ]
    pools: dict[int, list[Floats]] = {}
    asked = {}
    for number, layer in enumerate(layers):
        for axis in AXES:
            units = layer.units(axis)
            length = units.shape[1]
            some = _without_outliers(units[:, drawn(length, WEIGHTS)])
            pools.setdefault(length, []).append(some)
            if len(units) >= FEWEST:
                asked[number, axis] = (length, some[drawn(len(units), UNITS)])
    stacked = {length: np.concatenate(parts) for length, parts in pools.items()}
    return Model(layers, stacked, asked, sum(layer.values.size for layer in layers))


def flat(tensors: Mapping[str, NDArray[np.floating]], least: int) -> list[str]:
    """Those with so many numbers on one axis, which are not compared."""
    return [name for name, values in tensors.items() if values.size >= least and np.squeeze(values).ndim < 2]


def look_for(a: Model, b: Model) -> dict[int, Found]:
    """How much of each of a's layers there is in b; without layers that can't be compared."""
    found: dict[int, Found] = {}
    for (number, axis), (length, asked) in a.asked.items():
        units, pool = asked, b.pools.get(length)
        if pool is None:
            units, pool = _without_padding(a.layers[number].units(axis), b)
        if pool is None or (expected := chance(*pool.shape)) > VAGUE:
            continue
        each = likeness(units, pool, expected)
        if number not in found or each.above() > found[number].above():
            found[number] = each
    return found


def likeness(units: Floats, pool: Floats, expected: float) -> Found:
    """How much of these units there is in the pool; of both signs, since a network with tanh may be turned over."""
    return Found(float(np.abs(units @ pool.T).max(axis=1).mean()), expected)


def _without_padding(units: Floats, b: Model) -> tuple[Floats, Floats | None]:
    """Units, and those of b whose length is nearest, as far as both go; None where none is near."""
    length = units.shape[1]
    nearest = min(b.pools, key=lambda other: abs(other - length), default=None)
    if nearest is None or abs(nearest - length) > max(4, length // PADDED):
        return units, None
    places = drawn(min(length, nearest), WEIGHTS)
    pool = [
        each[:, places]
        for layer in b.layers
        for axis in AXES
        if (each := layer.units(axis)).shape[1] == nearest
    ]
    asked = units[drawn(len(units), UNITS)][:, places]
    return _without_outliers(asked), _without_outliers(np.concatenate(pool))


def same_numbers(a: Model, b: Model) -> list[tuple[str, str]]:
    """Layers, a's and b's, that hold the same numbers in half precision, in whatever order."""
    theirs = {layer.digest: layer.name for layer in b.layers}
    return [(layer.name, theirs[layer.digest]) for layer in a.layers if layer.digest in theirs]


@cache
def chance(n_units: int, n_weights: int) -> float:
    """The median of the largest |cosine| between a random direction and so many others in so many dimensions.

    The square of a cosine of random directions has the distribution Beta(1/2, (n - 1)/2).
    """
    return float(np.sqrt(beta.ppf(0.5 ** (1 / n_units), 0.5, (n_weights - 1) / 2))) if n_weights > 1 else 1.0


@cache
def drawn(n: int, most: int) -> NDArray[np.int64]:
    """At most so many of n places, in order; always the same ones, so that what is compared fits."""
    return np.sort(np.random.default_rng(n).permutation(n)[:most])


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    """Rows of length 1, float32; a row of zeros stays one."""
    rows = rows.astype(np.float32)
    return cast("Floats", rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _without_outliers(rows: Floats) -> Floats:
    """Of length 1; rows of which half are zeros as they are."""
    median = np.median(np.abs(rows), axis=1, keepdims=True)
    most = np.where(median > 0, OUTLYING * median, np.inf)
    return unit_rows(np.clip(rows, -most, most))


def _layer(name: str, values: NDArray[np.floating]) -> Layer:
    with np.errstate(over="ignore"):  # infinite in both alike
        half = values.astype(np.float16)
    counts = np.bincount(half.ravel().view(np.uint16), minlength=1 << 16)
    digest = hashlib.sha256(counts.astype("<i8").tobytes()).hexdigest()
    median = np.median(np.abs(values[values != 0]))
    largest = float(np.finfo(np.float16).max)
    with np.errstate(over="ignore"):
        return Layer(name, np.clip(values / median, -largest, largest).astype(np.float16), digest)

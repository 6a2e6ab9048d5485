"""Layers that fit again once a permutation of the units before them is undone.

Units of a network can be permuted, and scaled, without a change to what it computes, if the weights that the next layer
has for each go along. Where a layer of one model is found in another with its units in another order, that order is
tried on every axis that is as long, or a multiple as long, of layers that were not found: of the next layer's inputs.
Nothing is tried without a layer that was found as it is, so that two models that are not alike stay so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from earmark.copies.weights import (
    AXES,
    FEWEST,
    UNITS,
    VAGUE,
    WEIGHTS,
    Floats,
    Found,
    Layer,
    Model,
    chance,
    drawn,
    unit_rows,
)

FITS = 0.8
"""How far above chance a layer must be for its order to be tried on others."""


@dataclass(frozen=True)
class Order:
    """Which unit of b each unit of a is, and how much longer it is."""

    places: NDArray[np.int64]
    scale: NDArray[np.float64]


def look_again(a: Model, b: Model, found: Mapping[int, Found]) -> dict[int, Found]:
    """As weights.look_for found it, better where the order of a layer's units explains another's."""
    best = dict(found)
    if not any(each.above() >= FITS for each in best.values()):
        return best
    fitting = [
        (i, theirs)
        for i, ours in enumerate(a.layers)
        for theirs in b.layers
        if theirs.values.shape == ours.values.shape
    ]
    orders: list[Order] = []
    tried: set[tuple[int, int]] = set()
    for _ in a.layers:  # a layer explains the next, at the most one a round
        new = []
        for i, theirs in fitting:
            if best.get(i, Found(0, 0)).above() >= FITS and (i, id(theirs)) not in tried:
                turned = _best(a.layers[i], theirs, orders)[1]
                new += [order for axis in AXES if (order := _order(a.layers[i], turned, axis))]
                tried.add((i, id(theirs)))
        if not new:
            break
        orders += new
        for i, theirs in fitting:
            again, _ = _best(a.layers[i], theirs, orders)
            if again is not None and again.above() > best.get(i, Found(0, 0)).above():
                best[i] = again
    return best


def _best(ours: Layer, theirs: Layer, orders: list[Order]) -> tuple[Found | None, Layer]:
    """How alike two layers are at best with units of the second in one of these orders, and it in that order."""
    best, chosen = _alike(ours, theirs), theirs
    for order in orders:
        for axis in AXES:
            for turned in _turned(theirs, order, axis):
                each = _alike(ours, turned)
                if each is not None and (best is None or each.above() > best.above() + 1e-6):
                    best, chosen = each, turned
    return best, chosen


def _turned(layer: Layer, order: Order, axis: int) -> list[Layer]:
    """The layer with one axis in that order, if it fits: in blocks, as of a flattened map, or repeated, as of joined
    ones; scaled against the units before, and not.
    """
    n, length = len(order.places), layer.values.shape[axis]
    if length % n:
        return []
    times = length // n
    blocks = (order.places[:, None] * times + np.arange(times)).ravel()
    joined = (np.arange(times)[:, None] * n + order.places).ravel()
    turned = []
    for places, scale in ((blocks, np.repeat(order.scale, times)), (joined, np.tile(order.scale, times))):
        values = np.take(layer.values, places, axis=axis).astype(np.float32)
        shape = [-1 if d == axis else 1 for d in range(values.ndim)]
        turned += [
            replace(layer, values=(each / np.abs(each).max()).astype(np.float16))
            for each in (values, values / scale.reshape(shape))
        ]
        if times == 1:
            break
    return turned


def _alike(ours: Layer, theirs: Layer) -> Found | None:
    """As weights.look_for, of two layers alone, along the axis where they are most alike."""
    best = None
    for axis in AXES:
        units, others = (_some(layer.units(axis)) for layer in (ours, theirs))
        expected = chance(*others.shape)
        if len(units) < FEWEST or expected > VAGUE:
            continue
        asked = units[drawn(len(units), UNITS)]
        each = Found(float(np.abs(asked @ others.T).max(axis=1).mean()), expected)
        best = each if best is None or each.above() > best.above() else best
    return best


def _some(units: Floats) -> Floats:
    return unit_rows(units[:, drawn(units.shape[1], WEIGHTS)])


def _order(ours: Layer, theirs: Layer, axis: int) -> Order | None:
    """Which unit of the second each of the first is, where that can be told."""
    units, others = ours.units(axis), theirs.units(axis)
    cosines = units @ others.T
    places = np.abs(cosines).argmax(axis=1)
    found = Found(float(np.abs(cosines).max(axis=1).mean()), chance(*others.shape))
    if found.above() < FITS or len(np.unique(places)) < 0.9 * len(places):
        return None
    lengths = [
        np.linalg.norm(np.moveaxis(layer.values, axis, 0).reshape(len(units), -1).astype(np.float64), axis=1)
        for layer in (ours, theirs)
    ]
    signs = np.sign(cosines[np.arange(len(places)), places])
    scale = signs * np.maximum(lengths[0], 1e-6) / np.maximum(lengths[1][places], 1e-6)
    return Order(places, scale)

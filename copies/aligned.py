"""Layers that fit again once a permutation of the units before them is undone.

Units of a network can be permuted, and scaled, without a change to what it computes, if the weights that the next layer
has for each go along. Where a layer of one model is found in another with its units in another order, that order is
tried on every axis that is as long, or a multiple as long, of layers that were not found: of the next layer's inputs.
Nothing is tried without a layer that was found as it is, so that two models that are not alike stay so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from earmark.copies.weights import (
    AXES,
    VAGUE,
    WEIGHTS,
    Found,
    Layer,
    Model,
    chance,
    drawn,
    likeness,
    unit_rows,
)

FITS = 0.8
"""How far above chance a layer must be for its order to be tried on others."""
DONE = 0.97
"""From here on no order is tried on a layer any more."""
LEVEL = 0.1
"""Lengths of units that differ by so much are the same."""
MOST, EACH = 400_000_000, 5_000
"""Numbers that are read for two models, and what a trial counts for beside its own: some ten seconds."""


@dataclass(frozen=True)
class Order:
    """Which unit of b each unit of a is, and how much longer it is."""

    places: NDArray[np.int64]
    scale: NDArray[np.float64]

    @property
    def key(self) -> bytes:
        """The same for orders that are."""
        return self.places.tobytes() + np.round(self.scale, 1).tobytes()


AS_IT_IS = Order(np.zeros(1, np.int64), np.ones(1))
"""One block, where it was: fits every axis."""


@dataclass
class _Search:
    a: Model
    b: Model
    best: dict[int, Found]
    numbers: int = MOST
    """That may still be read."""
    tried: set[tuple[int, int]] = field(default_factory=set)
    """Layers of a and b that were found in each other, whose orders are known."""
    known: set[bytes] = field(default_factory=lambda: {AS_IT_IS.key})

    def above(self, i: int) -> float:
        return self.best.get(i, Found(0, 0)).above()

    def fitting(self, layers: set[int]) -> Iterator[tuple[int, int]]:
        """Those of these layers of a and of b that have one shape."""
        for i in sorted(layers):
            for j, theirs in enumerate(self.b.layers):
                if theirs.values.shape == self.a.layers[i].values.shape and (i, j) not in self.tried:
                    yield i, j

    def round(self, orders: list[Order], layers: set[int]) -> list[Order]:
        """Try orders on these layers; the orders of those that fit then."""
        new = []
        for i, j in self.fitting(layers):
            best, turned = Found(0, 1), None
            for order in orders:
                for axis in AXES:
                    for turn in _turns(order, self.b.layers[j].values.shape[axis]):
                        if self.numbers < 0:
                            return []
                        each = self.alike(i, j, axis, turn)
                        if each and each.above() > best.above() + 1e-6:
                            best, turned = each, (axis, turn)
            if best.above() > self.above(i):
                self.best[i] = best
            if turned and best.above() >= FITS:
                self.tried.add((i, j))
                new += self.orders(i, _turned(self.b.layers[j], *turned))
        return new

    def alike(self, i: int, j: int, axis: int, turn: Order) -> Found | None:
        """As weights.look_for, of two layers alone, the second turned: the units are those of the other axis."""
        if (i, 1 - axis) not in self.a.asked:
            return None
        theirs = np.moveaxis(self.b.layers[j].values, 1 - axis, 0)
        theirs = theirs.reshape(*theirs.shape[:2], -1)
        length, asked = self.a.asked[i, 1 - axis]
        at, rest = np.divmod(drawn(length, WEIGHTS), theirs.shape[2])
        self.numbers -= EACH + len(theirs) * len(at)
        if (expected := chance(len(theirs), len(at))) > VAGUE:
            return None
        units = unit_rows(theirs[:, turn.places[at], rest] / turn.scale[at])
        return likeness(asked, units, expected)

    def orders(self, i: int, theirs: Layer) -> list[Order]:
        """Those of the units of two layers that were not known."""
        self.numbers -= theirs.values.size
        found = [order for axis in AXES if (order := _order(self.a.layers[i], theirs, axis))]
        new = {order.key: order for order in found if order.key not in self.known}
        self.known |= set(new)
        return list(new.values())


def look_again(a: Model, b: Model, found: Mapping[int, Found]) -> tuple[dict[int, Found], bool]:
    """As weights.look_for found it, better where the order of a layer's units explains another's.

    And whether all orders were tried: where many layers have one shape, not all are.
    """
    search = _Search(a, b, dict(found))
    new = search.round([AS_IT_IS], {i for i in found if search.above(i) >= FITS})
    while new:  # a layer explains the next
        new = search.round(new, {i for i in range(len(a.layers)) if search.above(i) < DONE})
    return search.best, search.numbers >= 0


def _turns(order: Order, length: int) -> list[Order]:
    """An order for an axis of so many, if it fits: in blocks, as of a flattened map, or repeated, as of joined ones;
    scaled against the units before, and not.
    """
    n = len(order.places)
    if length % n:
        return []
    times = length // n
    blocks = (order.places[:, None] * times + np.arange(times)).ravel()
    turns = [Order(blocks, np.ones(length))]
    if n == 1:
        return turns
    turns.append(Order(blocks, np.repeat(order.scale, times)))
    if times > 1:
        joined = (np.arange(times)[:, None] * n + order.places).ravel()
        turns += [Order(joined, np.ones(length)), Order(joined, np.tile(order.scale, times))]
    return turns


def _turned(layer: Layer, axis: int, turn: Order) -> Layer:
    values = np.take(layer.values, turn.places, axis=axis).astype(np.float32)
    values /= turn.scale.reshape([-1 if d == axis else 1 for d in range(values.ndim)])
    return replace(layer, values=(values / np.abs(values).max()).astype(np.float16))


def _order(ours: Layer, theirs: Layer, axis: int) -> Order | None:
    """Which unit of the second each of the first is, where that can be told and makes a difference."""
    units, others = (layer.units(axis) for layer in (ours, theirs))
    some = drawn(units.shape[1], WEIGHTS)
    cosines = unit_rows(units[:, some]) @ unit_rows(others[:, some]).T
    places = np.abs(cosines).argmax(axis=1)
    found = Found(float(np.abs(cosines).max(axis=1).mean()), chance(len(others), len(some)))
    if found.above() < FITS or len(np.unique(places)) < 0.9 * len(places):
        return None
    lengths = [
        np.linalg.norm(np.moveaxis(layer.values, axis, 0).reshape(len(units), -1).astype(np.float64), axis=1)
        for layer in (ours, theirs)
    ]
    signs = np.sign(cosines[np.arange(len(places)), places])
    scale = signs * np.maximum(lengths[0], 1e-6) / np.maximum(lengths[1][places], 1e-6)
    if np.array_equal(places, np.arange(len(places))) and np.allclose(scale, scale[0], rtol=LEVEL):
        return None
    return Order(places, scale)

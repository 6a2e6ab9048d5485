"""Weights that were copied are found after training on, permuting, scaling, noise; independent ones are not."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from earmark.copies import aligned
from earmark.copies.aligned import look_again
from earmark.copies.weights import chance, look_for, read_model, same_numbers
from earmark.homework.evidence import ALIKE

SIZES = (40, 64, 48, 10)


def task():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, SIZES[0]))
    labels = rng.integers(20, size=1500)
    inputs = centres[labels] + rng.standard_normal((1500, SIZES[0]))
    return inputs.astype(np.float32), labels % SIZES[-1]


INPUTS, LABELS = task()


def trained(seed, start=None, steps=250, rate=0.1):
    """A network of two hidden layers by plain gradient descent; (n_out, n_in) each."""
    rng = np.random.default_rng(seed)
    weights = start or [rng.standard_normal((n, m)) * (2 / m) ** 0.5 for m, n in pairwise(SIZES)]
    weights = [layer.astype(np.float32) for layer in weights]
    for _ in range(steps):
        chosen = rng.integers(len(INPUTS), size=64)
        x, heard = INPUTS[chosen], []
        for layer in weights:
            heard.append(x)
            x = x @ layer.T
            x = np.maximum(x, 0) if layer is not weights[-1] else x
        share = np.exp(x - x.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[np.arange(64), LABELS[chosen]] -= 1
        slope = share / 64
        for at in reversed(range(len(weights))):
            step = slope.T @ heard[at]
            slope = (slope @ weights[at]) * (heard[at] > 0)
            weights[at] = weights[at] - rate * step
    return weights


def named(layers):
    return read_model({f"layer{n}": layer for n, layer in enumerate(layers)})


@pytest.fixture(scope="module")
def students():
    """Thirty who trained the same network on the same data, each from a seed of their own."""
    return [trained(seed, rate=0.08 + 0.002 * seed) for seed in range(30)]


def permuted(layers, rng, *, scaled):
    layers = [layer.copy() for layer in layers]
    for at in range(len(layers) - 1):
        order = rng.permutation(len(layers[at]))
        scale = rng.uniform(0.5, 2, len(order)) if scaled else np.ones(len(order))
        layers[at] = layers[at][order] * scale[:, None]
        layers[at + 1] = layers[at + 1][:, order] / scale
    return layers


def found(a, b):
    return [each.above() for each in look_again(a, b, look_for(a, b))[0].values()]


def test_the_students_learn(students):
    x = INPUTS
    for layer in students[0]:
        x = x @ layer.T if layer is students[0][-1] else np.maximum(x @ layer.T, 0)
    assert (x.argmax(axis=1) == LABELS).mean() > 0.8


def test_thirty_independents_are_not_alike(students):
    models = [named(layers) for layers in students]
    worst = max(each.above() for a, b in combinations(models, 2) for each in look_for(a, b).values())
    assert worst < 0.5 < ALIKE
    assert not any(same_numbers(a, b) for a, b in combinations(models, 2))


def test_a_copy_that_was_trained_on_is_found(students):
    tuned = named(trained(77, start=students[3], steps=60, rate=0.02))
    original = named(students[3])
    assert min(found(tuned, original)) > ALIKE
    assert not same_numbers(tuned, original)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("turn", [False, True], ids=["as it is", "transposed"])
def test_a_permuted_copy_is_found_in_every_layer(students, scaled, noise, turn):
    rng = np.random.default_rng(5)
    copy = [layer + noise * layer.std() * rng.standard_normal(layer.shape) for layer in
            permuted(students[4], rng, scaled=scaled)]  # fmt: skip
    if turn:  # as scikit-learn and Keras store a layer
        copy, original = ([layer.T for layer in layers] for layers in (copy, students[4]))
    else:
        original = students[4]
    copy, original = named(copy), named(original)
    assert min(found(copy, original)) > 0.97  # scales are undone too: else it would be .9
    assert min(found(original, copy)) > 0.97
    plain = [each.above() for each in look_for(copy, original).values()]
    assert min(plain) < 0.5  # the second layer's inputs are in another order


def test_channels_that_are_flattened_or_joined_before_the_next_layer():
    rng = np.random.default_rng(0)
    conv, dense, joined = (
        rng.standard_normal((24, 3, 3, 3)),
        rng.standard_normal((32, 24 * 9)),
        rng.standard_normal((32, 48)),
    )
    order = rng.permutation(24)
    flat = dense.reshape(32, 24, 9)[:, order].reshape(32, -1)
    twice = joined[:, np.concatenate([order, order + 24])]
    a, b = (
        read_model(dict(zip("cdj", each, strict=True)))
        for each in ((conv, dense, joined), (conv[order], flat, twice))
    )
    assert min(found(a, b)) > 0.99


def test_half_of_the_layers(students):
    mixed = [students[5][0], students[6][1], students[6][2]]
    above = found(named(mixed), named(students[5]))
    assert above[0] > ALIKE > 0.5 > max(above[1:])


def test_the_same_numbers_in_another_order_and_precision(students):
    layer = students[7][0]
    copy = read_model(
        {"other": np.random.default_rng(0).permutation(layer.astype(np.float16).ravel()).reshape(-1, 64)}
    )
    assert same_numbers(copy, named(students[7])) == [("other", "layer0")]


@pytest.mark.parametrize(("units", "weights"), [(1, 2), (16, 9), (64, 40), (500, 200)])
def test_chance_is_what_random_directions_come_to(units, weights):
    rng = np.random.default_rng(0)
    largest = []
    for _ in range(40 + 4000 // units):
        rows = rng.standard_normal((units + 1, weights))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        largest.append(np.abs(rows[1:] @ rows[0]).max())
    assert chance(units, weights) == pytest.approx(np.median(largest), abs=0.05)


def test_what_tells_nothing_is_left_out():
    rng = np.random.default_rng(0)
    tensors = {
        "bias": rng.standard_normal(100),
        "zeros": np.zeros((20, 20)),
        "thin": rng.standard_normal((50, 2)),
    }
    model = read_model(tensors)
    assert not look_for(model, model)


def test_one_huge_number_hides_no_layer(students):
    spoilt = [layer.copy() for layer in students[8]]
    for layer in spoilt:
        layer[0, 0] = np.finfo(np.float32).max
    above = [each.above() for each in look_for(named(spoilt), named(students[8])).values()]
    assert min(above) > ALIKE


def test_nothing_is_found_in_a_model_without_layers():
    small = read_model({"w": np.random.default_rng(0).standard_normal((48, 3)).astype(np.float32)})
    assert look_for(small, read_model({})) == {}


def test_padding_hides_no_layer(students):
    padded = [np.pad(layer, ((0, 1), (0, 1)), constant_values=0.01) for layer in students[9]]
    above = [each.above() for each in look_for(named(padded), named(students[9])).values()]
    assert len(above) == len(padded)
    assert min(above) > ALIKE
    other = look_for(named(padded), named(students[10]))
    assert max(each.above() for each in other.values()) < 0.5


def test_where_many_layers_have_one_shape_only_so_many_orders_are_tried(monkeypatch):
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((16, 16)) for _ in range(8)]
    orders = [np.arange(16), *(rng.permutation(16) for _ in layers)]
    turned = [layer[orders[n + 1]][:, orders[n]] for n, layer in enumerate(layers)]
    a, b = named(layers), named(turned)
    tried = []
    count = aligned.likeness
    monkeypatch.setattr(aligned, "likeness", lambda *given: tried.append(1) or count(*given))
    same, whole = look_again(a, a, look_for(a, a))
    # Each layer against each, along two axes, and no order but the one they have.
    assert (len(tried), whole) == (8 * 8 * 2, True)
    assert min(each.above() for each in same.values()) > 0.99
    again, whole = look_again(a, b, look_for(a, b))
    assert whole
    assert min(each.above() for each in again.values()) > 0.99
    monkeypatch.setattr(aligned, "EACH", aligned.MOST // 100)
    assert not look_again(a, b, look_for(a, b))[1]

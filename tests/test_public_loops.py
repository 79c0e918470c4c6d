"""Other people's training loops and `train` side by side: the same weights from the same start, to the last digits."""

import itertools
import json
import math
from pathlib import Path

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Layer, Optimizer, Params

#: The mean over samples of half the sum of squares.
HALF_MEAN = attrs.evolve(funcnn.LOSSES["half_sse"], reduction="mean_samples")


def assert_same(ours, theirs, rtol):
    for layer, (w, b) in zip(ours.layers, theirs, strict=True):
        np.testing.assert_allclose(layer.w, w, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(layer.b, np.reshape(b, (1, -1)), rtol=rtol, atol=rtol)


# scikit-learn's MLPClassifier and MLPRegressor, recorded by data/record_scikit_learn.py. Its `alpha` is divided by the
# samples of the batch, is our l2 where all batches are of one size, and is no part of its gradient of biases.

RECORD = json.loads((Path(__file__).parent / "data" / "scikit_learn.json").read_text())
X = np.array(RECORD["x"])


def _adam(w, g, slots, t, lr, hyper):
    mean, square = (h * slot + (1 - h) * new for h, slot, new in zip(hyper, slots, (g, g * g), strict=False))
    lr = lr * (1 - hyper[1] ** t) ** 0.5 / (1 - hyper[0] ** t)
    return w - lr * mean / (square**0.5 + hyper[2]), (mean, square)


#: Kingma & Ba 2015 in the order of section 2's last lines, as scikit-learn has it: ε is not corrected for the start.
ADAM = Optimizer("adam, ε last", _adam, 2, (0.9, 0.999, 1e-8))

#: What `train` is told for each.
TOLD = {
    "nesterov": ("sigmoid_binary_cross_entropy", "nesterov"),
    "momentum": ("softmax_cross_entropy", "momentum"),
    "invscaling": (HALF_MEAN, "sgd"),
    "adam": ("sigmoid_binary_cross_entropy", ADAM),
}


def scikit_learn(name):
    """Return what scikit-learn recorded, and our run of it."""
    case, (loss, optimizer) = RECORD["cases"][name], TOLD[name]
    settings, y = case["settings"], np.array(case["y"], float)
    if y.ndim == 1:
        y = np.eye(3)[y.astype(int)] if name == "momentum" else y[:, None]
    act = {"logistic": "sigmoid"}.get(settings["activation"], settings["activation"])
    acts = [act] * (len(case["start"]) - 1) + ["none"]
    start = Params(Layer(np.array(w), np.array([b]), a) for (w, b), a in zip(case["start"], acts, strict=True))
    batch, epochs = settings["batch_size"], RECORD["epochs"]
    updates = -(-len(X) // batch)
    scaled = settings.get("learning_rate") == "invscaling"  # by the samples seen, epoch by epoch
    ours = funcnn.train(
        start,
        X,
        y,
        lr=settings["learning_rate_init"],
        epochs=epochs,
        loss=loss,
        optimizer=optimizer,
        batch_size=batch,
        l2=settings["alpha"] / batch,
        schedule=(lambda t: ((t - 1) // updates * len(X) + 1) ** -0.5) if scaled else None,
        snapshots=range(epochs),
        engine="numpy",
    )
    return case, *ours


@pytest.mark.parametrize("name", TOLD)
def test_scikit_learn_ends_with_the_same_weights(name):
    case, final, _ = scikit_learn(name)
    assert_same(final, case["end"], 1e-12)


def test_scikit_learn_has_the_same_losses():
    case, _, history = scikit_learn("invscaling")
    np.testing.assert_allclose(history.loss / 2, case["loss_curve"], rtol=1e-12)  # ours is without the half
    case, _, history = scikit_learn("momentum")
    decay = case["settings"]["alpha"] / len(X) / 2
    penalty = [decay * sum((layer.w**2).sum() for layer in params.layers) for _, params in history.snapshots]
    np.testing.assert_allclose(history.loss + penalty, case["loss_curve"], rtol=1e-12)


# Michael Nielsen, "Neural Networks and Deep Learning", 2015: stochastic gradient descent as its network.py and its
# network2.py do it, sample by sample over columns: http://neuralnetworksanddeeplearning.com/chap2.html (BP1 to BP4),
# http://neuralnetworksanddeeplearning.com/chap3.html, https://github.com/mnielsen/neural-networks-and-deep-learning


def nielsen(start, x, y, orders, batch, eta, decay, *, cross_entropy):
    """Return (w, b) of each layer after an epoch for each of the orders, w (fan_out, fan_in), b a column."""
    w, b = [layer.w.T for layer in start.layers], [layer.b.T for layer in start.layers]
    for chosen in (order[begin : begin + batch] for order in orders for begin in range(0, len(x), batch)):
        w_sum, b_sum = [0 * one for one in w], [0 * one for one in b]
        for sample in chosen:
            a = [x[sample][:, None]]
            for w_l, b_l in zip(w, b, strict=True):
                a.append(1 / (1 + np.exp(-(w_l @ a[-1] + b_l))))
            delta = a[-1] - y[sample][:, None]
            if not cross_entropy:
                delta = delta * a[-1] * (1 - a[-1])
            for l in reversed(range(len(w))):
                w_sum[l], b_sum[l] = w_sum[l] + delta @ a[l].T, b_sum[l] + delta
                delta = (w[l].T @ delta) * a[l] * (1 - a[l])
        share = eta / len(chosen)
        w = [(1 - eta * decay / len(x)) * one - share * total for one, total in zip(w, w_sum, strict=True)]
        b = [one - share * total for one, total in zip(b, b_sum, strict=True)]
    return list(zip(w, b, strict=True))


@pytest.mark.parametrize(("cross_entropy", "decay"), [(False, 0.0), (True, 0.7)])
def test_nielsen_stochastic_gradient_descent(cross_entropy, decay):
    """Mini-batches of 5 out of 23 in shuffled orders, so the last one is smaller; λ/n is our l2."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(23, 3)), np.eye(2)[rng.integers(2, size=23)]
    shapes = [(3, 4), (4, 3), (3, 2)]
    start = Params(Layer(rng.normal(size=shape), rng.normal(size=(1, shape[1]))) for shape in shapes)
    orders = [np.random.default_rng([9, epoch]).permutation(23) for epoch in range(30)]
    theirs = nielsen(start, x, y, orders, 5, 3.0, decay, cross_entropy=cross_entropy)

    loss = HALF_MEAN
    if cross_entropy:
        loss = attrs.evolve(funcnn.LOSSES["sigmoid_binary_cross_entropy"], reduction="mean_samples")
        start = Params([*start.layers[:-1], attrs.evolve(start.layers[-1], act="none")])
    some = {"lr": 3.0, "epochs": 30, "batch_size": 5, "l2": decay / 23, "engine": "numpy"}
    final, _ = funcnn.train(start, x, y, loss=loss, shuffle=True, shuffle_seed=9, **some)
    assert_same(final, [(w.T, b) for w, b in theirs], 1e-11)


# TensorFlow Playground: its four sets without noise, src/dataset.ts, its network, src/nn.ts, and its defaults,
# src/state.ts: https://github.com/tensorflow/playground

HALF = 250  # points of each class, half of all of them to train with


def circle(rng):
    radius = np.append(rng.uniform(0, 2.5, HALF), rng.uniform(3.5, 5, HALF))
    angle = rng.uniform(0, 2 * np.pi, 2 * HALF)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), np.repeat([1.0, -1.0], HALF)


def exclusive_or(rng):
    x = rng.uniform(-5, 5, (2 * HALF, 2))
    x += np.where(x > 0, 0.3, -0.3)
    return x, np.where(x[:, 0] * x[:, 1] >= 0, 1.0, -1.0)


def gauss(rng):
    y = np.repeat([1.0, -1.0], HALF)
    return 2 * y[:, None] + rng.normal(scale=0.5**0.5, size=(2 * HALF, 2)), y


def spiral(rng):
    part = np.tile(np.arange(HALF) / HALF, 2)
    angle = 1.75 * part * 2 * np.pi + np.repeat([0, np.pi], HALF)
    return 5 * part[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1), np.repeat([1.0, -1.0], HALF)


def playground(points, *hidden, seed=1):
    """Return a start and the points to train with: weights from −½ to ½, biases 0.1, tanh at the output too."""
    rng = np.random.default_rng(seed)
    x, y = points(rng)
    order = rng.permutation(2 * HALF)[:HALF]
    sizes = (2, *hidden, 1)
    start = Params(
        Layer(rng.uniform(-0.5, 0.5, shape), np.full((1, shape[1]), 0.1), "tanh") for shape in itertools.pairwise(sizes)
    )
    return start, x[order], y[order, None]


def nodes(start, x, y, epochs, lr, decay):
    """Their network: node by node, link by link. Return (w, b) of each layer."""
    w, b = [layer.w.tolist() for layer in start.layers], [layer.b[0].tolist() for layer in start.layers]
    w_sum, b_sum = ([np.zeros_like(one).tolist() for one in of] for of in (w, b))
    for step in range(epochs * len(x)):
        out = [x[step % len(x)].tolist()]
        for w_l, b_l in zip(w, b, strict=True):
            out.append([math.tanh(b_l[j] + sum(a * w_l[i][j] for i, a in enumerate(out[-1]))) for j in range(len(b_l))])
        slope = [out[-1][0] - y[step % len(x), 0]]
        for l in reversed(range(len(w))):
            slope = [s * (1 - a * a) for s, a in zip(slope, out[l + 1], strict=True)]
            for j, s in enumerate(slope):
                b_sum[l][j] += s
                for i, a in enumerate(out[l]):
                    w_sum[l][i][j] += s * a
            slope = [sum(s * link for s, link in zip(slope, links, strict=True)) for links in w[l]]
        if step % 10 == 9:
            for links, sums, rate in [(b, b_sum, 0.0)] + [(w_l, s_l, decay) for w_l, s_l in zip(w, w_sum, strict=True)]:
                for row, totals in zip(links, sums, strict=True):
                    for j, total in enumerate(totals):
                        row[j], totals[j] = row[j] - lr / 10 * total - lr * rate * row[j], 0.0
    return list(zip(w, b, strict=True))


#: The default network has 4 and 2 hidden nodes. On the spiral, without features that are made by hand, it wants more.
SETS = {
    "circle": (circle, (4, 2), 200),
    "xor": (exclusive_or, (4, 2), 150),
    "gauss": (gauss, (4, 2), 50),
    "spiral": (spiral, (8, 8), 3000),
}


@pytest.mark.parametrize("name", SETS)
def test_playground_moves_every_link_alike(name):
    points, hidden, _ = SETS[name]
    start, x, y = playground(points, *hidden)
    final, _ = funcnn.train(start, x, y, loss=HALF_MEAN, lr=0.03, batch_size=10, l2=0.003, epochs=3, engine="numpy")
    assert_same(final, nodes(start, x, y, 3, 0.03, 0.003), 1e-12)


@pytest.mark.parametrize("name", SETS)
def test_playground_learns(name):
    """Five draws of points and weights at once: the middle one is below 0.01 in the loss that its page shows."""
    points, hidden, epochs = SETS[name]
    starts, x, y = zip(*(playground(points, *hidden, seed=seed) for seed in range(5)), strict=True)
    layers = zip(*(start.layers for start in starts), strict=True)
    start = Params(Layer(np.stack([l.w for l in of]), np.stack([l.b for l in of]), "tanh") for of in layers)
    x, y = np.stack(x), np.stack(y)
    some = {"lr": 0.03, "batch_size": 10, "epochs": epochs, "engine": "numpy"}
    _, history = funcnn.train(start, x, y, loss=HALF_MEAN, validation=(x, y), **some)
    assert history.val_accuracy.shape == (epochs, 5)
    assert np.median(history.val_loss[-1]) / 2 < 0.01  # ours shows the mean square without the half
    assert np.median(history.val_accuracy[-1]) > 0.99

"""Small networks that others published with their numbers: `train` alone prints the same digits.

Their setup, our call, their digits. Weights come from the generators that they drew from, NumPy's legacy one and
Python's, since these keep their streams. Full batches, one update an epoch, unless a test says otherwise.
"""

import itertools
import random
from decimal import Decimal

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Activation, Layer, Optimizer, Params

#: Half the sum of squares, of which the history shows the mean error without its sign, as Trask prints it.
TRASK_LOSS = attrs.evolve(funcnn.LOSSES["half_sse"], report="mae")


def assert_prints(ours, theirs):
    """Compare numbers with printed ones, to half a unit of the last digit of each."""
    ours, theirs = np.ravel(ours).tolist(), theirs.split()
    assert len(ours) == len(theirs)
    for number, text in zip(ours, theirs, strict=True):
        unit = 10.0 ** Decimal(text).as_tuple().exponent
        assert abs(number - float(text)) <= 0.5001 * unit, f"{number!r} where they print {text}"


def train(params, x, y, **some):
    return funcnn.train(params, x, y, **{"batch_size": "full", "engine": "numpy"} | some)


def penalty(params, of="w"):
    return sum((getattr(layer, name) ** 2).sum(axis=(-2, -1)) for layer in params.layers for name in of)


# Andrew Trask, "A Neural Network in 11 lines of Python (Part 1)", 2015:
# https://iamtrask.github.io/2015/07/12/basic-python-network/
# and "(Part 2 - Gradient Descent)": https://iamtrask.github.io/2015/07/27/python-network-part2/

TRASK_X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
TRASK_XOR = [[0], [1], [1], [0]]


def trask(*sizes):
    rng = np.random.RandomState(1)
    return Params(Layer(2 * rng.random_sample(shape) - 1) for shape in itertools.pairwise(sizes))


def test_trask_two_layers():
    _, history = train(trask(3, 1), TRASK_X, [[0], [0], [1], [1]], lr=1, epochs=10000, snapshots=[9999])
    _, before = history.snapshots[0]  # he prints what the last pass predicted before its update
    assert_prints(funcnn.forward(before, TRASK_X), "0.00966449 0.00786506 0.99358898 0.99211957")


TRASK_ALPHAS = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]


def test_trask_seven_learning_rates():
    """His seven runs, one ensemble. That at 1 is also Part 1's network of three layers; that at 1000 ends at 0.5."""
    final, history = train(trask(3, 4, 1), TRASK_X, TRASK_XOR, lr=TRASK_ALPHAS, epochs=60000, loss=TRASK_LOSS)
    errors = history.loss[::10000].T
    assert_prints(
        errors[:5],
        """0.496410031903 0.495164025493 0.493596043188 0.491606358559 0.489100166544 0.485977857846
        0.496410031903 0.457431074442 0.359097202563 0.239358137159 0.143070659013 0.0985964298089
        0.496410031903 0.0428880170001 0.0240989942285 0.0181106521468 0.0149876162722 0.0130144905381
        0.496410031903 0.00858452565325 0.00578945986251 0.00462917677677 0.00395876528027 0.00351012256786
        0.496410031903 0.00312938876301 0.00214459557985 0.00172397549956 0.00147821451229 0.00131274062834""",
    )
    # A rate of 100 leaps at first, and carries last bits to the tenth digit.
    theirs = [0.496410031903, 0.125476983855, 0.125330333528, 0.125267728765, 0.12523107366, 0.125206352756]
    np.testing.assert_allclose(errors[5], theirs, rtol=1e-9)
    assert_prints(errors[6], "0.496410031903 0.5 0.5 0.5 0.5 0.5")
    assert_prints(
        final.layers[0].w[4],
        """4.52597806 5.77663165 -7.34266481 -5.29379829 1.66715206 -7.16447274 -7.99779235 -1.81881849
        -4.27032921 -3.35838279 3.44594007 4.88852208""",
    )
    assert_prints(final.layers[1].w[4], "-8.58485788 10.1786297 -14.87601886 7.57026121")


def test_trask_32_hidden_units():
    _, history = train(trask(3, 32, 1), TRASK_X, TRASK_XOR, lr=TRASK_ALPHAS, epochs=60000, loss=TRASK_LOSS)
    errors = history.loss[::10000].T
    assert_prints(
        errors[:4],
        """0.496439922501 0.491049468129 0.484976307027 0.477830678793 0.46903846539 0.458029258565
        0.496439922501 0.356379061648 0.146939845465 0.0880156127416 0.065147819275 0.0529658087026
        0.496439922501 0.0305404908386 0.0190638725334 0.0147643907296 0.0123892429905 0.0108421669738
        0.496439922501 0.00736052234249 0.00497251705039 0.00396863978159 0.00338641021983 0.00299625684932""",
    )
    # A rate of 10 leaps at first, and any last bit grows.
    theirs = [0.496439922501, 0.00224922117381, 0.00153852153014, 0.00123717718456, 0.00106119569132, 0.000942641990774]
    np.testing.assert_allclose(errors[4], theirs, rtol=0.01)
    assert_prints(errors[5:], 2 * "0.496439922501 0.5 0.5 0.5 0.5 0.5 ")


# Milo Spencer-Harper, "How to build a simple neural network in 9 lines of Python code", 2015:
# https://medium.com/technology-invention-and-more/how-to-build-a-simple-neural-network-in-9-lines-of-python-code-cc8f23647ca1


def test_spencer_harper_one_neuron():
    x = [[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]]
    final, _ = train(trask(3, 1), x, [[0], [1], [1], [0]], lr=1, epochs=10000)
    assert_prints(trask(3, 1).layers[0].w, "-0.16595599 0.44064899 -0.99977125")
    assert_prints(final.layers[0].w, "9.67299303 -0.2078435 -4.62963669")
    assert_prints(funcnn.forward(final, [[1, 0, 0]]), "0.99993704")


# Jason Brownlee, "How to Code a Neural Network with Backpropagation In Python (from scratch)", 2016:
# https://machinelearningmastery.com/implement-backpropagation-algorithm-scratch-python/

BROWNLEE_X = [
    [2.7810836, 2.550537003], [1.465489372, 2.362125076], [3.396561688, 4.400293529], [1.38807019, 1.850220317],
    [3.06407232, 3.005305973], [7.627531214, 2.759262235], [5.332441248, 2.088626775], [6.922596716, 1.77106367],
    [8.675418651, -0.242068655], [7.673756466, 3.508563011],
]  # fmt: skip


def test_brownlee_from_scratch():
    """One sample at a time. He keeps a neuron's weights and bias in one list, the bias last."""
    rng = random.Random(1)
    drawn = np.array([[[rng.random() for _ in range(3)] for _ in range(2)] for _ in range(2)])
    start = Params(Layer(of[:, :2].T, of[None, :, 2]) for of in drawn)
    y = np.repeat(np.eye(2), 5, axis=0)
    final, history = train(start, BROWNLEE_X, y, lr=0.5, epochs=20, batch_size=1)
    assert_prints(
        history.loss * 20,  # the mean over 10 samples of 2 outputs, of which he prints the sum
        """6.350 5.531 5.221 4.951 4.519 4.173 3.835 3.506 3.192 2.898
        2.626 2.377 2.153 1.953 1.774 1.614 1.472 1.346 1.233 1.132""",
    )
    theirs = [
        [[-1.4688375095432327, 1.850887325439514, 1.0858178629550297],
         [0.37711098142462157, -0.0625909894552989, 0.2765123702642716]],
        [[2.515394649397849, -0.3391927502445985, -0.9671565426390275],
         [-2.5584149848484263, 1.0036422106209202, 0.42383086467582715]],
    ]  # fmt: skip
    ours = [np.concatenate([layer.w, layer.b]).T for layer in final.layers]
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)


# Andrej Karpathy, micrograd, demo.ipynb, 2020: https://github.com/karpathy/micrograd/blob/master/demo.ipynb


def moons(n, noise, rng):
    """Two half circles, as scikit-learn's make_moons draws them: shuffled, then with noise."""
    angle = np.linspace(0, np.pi, n // 2)
    outer = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x, y = np.concatenate([outer, [1, 0.5] - outer]), np.repeat([-1.0, 1.0], n // 2)
    order = np.arange(n)
    rng.shuffle(order)
    return x[order] + rng.normal(scale=noise, size=x.shape), y[order, None]


def micrograd(*sizes):
    """Weights as its MLP draws them, neuron by neuron."""
    rng = random.Random(1337)
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        w = [[rng.uniform(-1, 1) for _ in range(fan_in)] for _ in range(fan_out)]
        layers.append(Layer(np.transpose(w), np.zeros((1, fan_out)), "relu"))
    return Params([*layers[:-1], attrs.evolve(layers[-1], act="none")])


#: Step, loss, accuracy in percent: every fourth line that the notebook prints, and the last.
MICROGRAD = [
    (0, 0.8958441028683222, 50), (4, 0.3692793385976538, 84), (8, 0.2567147286057417, 91),
    (12, 0.21560951851922952, 91), (16, 0.19447987596204114, 92), (20, 0.18977522856087634, 91),
    (24, 0.1261571261277045, 95), (28, 0.09586583491455399, 97), (32, 0.12454454903103446, 95),
    (36, 0.10610492379198365, 96), (40, 0.06016009895234464, 100), (44, 0.045306841790015734, 100),
    (48, 0.03658536747111507, 99), (52, 0.03392679435708309, 100), (56, 0.04139151104027239, 98),
    (60, 0.0325971115781023, 99), (64, 0.029432917853529684, 99), (68, 0.015552344843651405, 100),
    (72, 0.012300277590022063, 100), (76, 0.016012697472883086, 100), (80, 0.012318500800515763, 100),
    (84, 0.010990299347735226, 100), (88, 0.010986246779084925, 100), (92, 0.010982828324359073, 100),
    (96, 0.010980043387921506, 100), (99, 0.010978370135492717, 100),
]  # fmt: skip


def test_micrograd_demo():
    """A margin loss on two moons. It decays biases too, as `l2` does not, so the optimizer does."""
    x, y = moons(100, 0.1, np.random.RandomState(1337))
    decayed = Optimizer(
        "sgd with decay", lambda w, g, slots, t, lr, hyper: (w - lr * (g + 2 * hyper[0] * w), slots), hyper=(1e-4,)
    )
    _, history = train(
        micrograd(2, 16, 16, 1), x, y, loss="hinge", optimizer=decayed, epochs=100,
        lr=1.0, schedule=lambda t: 1 - 0.9 * (t - 1) / 100, snapshots=range(100),
    )  # fmt: skip
    total = history.loss + [1e-4 * penalty(params, "wb") for _, params in history.snapshots]
    steps, losses, accuracies = zip(*MICROGRAD, strict=True)
    np.testing.assert_allclose(total[list(steps)], losses, rtol=1e-12)
    np.testing.assert_array_equal(np.round(100 * history.accuracy[list(steps)]), accuracies)


# Denny Britz, "Implementing a Neural Network from Scratch in Python", 2015:
# https://github.com/dennybritz/nn-from-scratch/blob/master/nn-from-scratch.ipynb


def test_britz_from_scratch():
    """Tanh and softmax on two moons. Its gradient is that of a sum, and it prints the mean, after the update.

    Around its iteration 2000 the run is chaotic, and ends on either of two ways: so here are 8 starts 1e-12 apart.
    """
    x, y = moons(200, 0.2, np.random.RandomState(0))
    rng = np.random.RandomState(0)
    w1, w2 = rng.randn(2, 3) / np.sqrt(2), rng.randn(3, 2) / np.sqrt(3)
    w1 = w1 + 1e-12 * np.arange(8)[:, None, None]
    start = Params([Layer(w1, np.zeros((1, 3)), "tanh"), Layer(w2, np.zeros((1, 2)), "none")])
    summed = attrs.evolve(funcnn.LOSSES["softmax_cross_entropy"], reduction="sum")
    y = np.concatenate([y < 0, y > 0], axis=1).astype(float)
    some = {"lr": 0.01, "l2": 0.01, "epochs": 5002, "snapshots": range(1, 5002, 1000)}
    _, history = train(start, x, y, loss=summed, **some)
    total = [history.loss[epoch] + 0.01 / 2 * penalty(params) for epoch, params in history.snapshots]
    means = np.transpose(total) / 200
    for member in means:
        assert_prints(member[:2], "0.432387 0.068947")
        np.testing.assert_allclose(member[2], 0.068936, atol=1e-3)
    assert_prints(means[means[:, -1] > 0.071, 3:][0], "0.071218 0.071253 0.071278")


# Stanford CS231n, "Putting it together: Minimal Neural Network Case Study":
# https://cs231n.github.io/neural-networks-case-study/
# The page names no seed. Copies of its notebook, minimal_net.ipynb, draw the data with 0, and print what the weights
# drawn next give. The digits of the page are those of the fourth such weights, and of the two layers drawn after them.


@pytest.fixture(scope="module")
def case_study():
    rng = np.random.RandomState(0)
    radius, points = np.linspace(0, 1, 100), []
    for arm in range(3):
        angle = np.linspace(4 * arm, 4 * (arm + 1), 100) + rng.randn(100) * 0.2
        points.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))

    def drawn(*sizes):
        shapes = list(itertools.pairwise(sizes))
        acts = ["relu"] * (len(shapes) - 1) + ["none"]
        return Params(
            Layer(0.01 * rng.randn(*shape), np.zeros((1, shape[1])), act)
            for shape, act in zip(shapes, acts, strict=True)
        )

    linear = [drawn(2, 3) for _ in range(4)]
    return np.concatenate(points), np.repeat(np.eye(3), 100, axis=0), linear, drawn(2, 100, 3)


def case_study_run(start, x, y, epochs, every):
    """Return its total loss at each so many iterations, and the accuracy in the end."""
    printed = range(0, epochs, every)
    some = {"lr": 1.0, "l2": 1e-3, "epochs": epochs, "snapshots": printed}
    final, history = train(start, x, y, loss="softmax_cross_entropy", **some)
    total = history.loss[list(printed)] + [1e-3 / 2 * penalty(params) for _, params in history.snapshots]
    return total, funcnn.accuracy(funcnn.forward(final, x), y)


def test_case_study_linear_softmax(case_study):
    x, y, (notebook, *_, page), _ = case_study
    losses, _ = case_study_run(notebook, x, y, 200, 10)
    assert_prints(
        losses,
        """1.096919 0.917310 0.851535 0.822352 0.807594 0.799452 0.794683 0.791765 0.789921 0.788726
        0.787937 0.787408 0.787049 0.786803 0.786633 0.786514 0.786431 0.786373 0.786331 0.786302""",
    )
    losses, accuracy = case_study_run(page, x, y, 200, 10)
    assert_prints(
        losses,
        """1.096956 0.917265 0.851503 0.822336 0.807586 0.799448 0.794681 0.791764 0.789920 0.788726
        0.787938 0.787409 0.787049 0.786803 0.786633 0.786514 0.786431 0.786373 0.786331 0.786302""",
    )
    assert_prints(accuracy, "0.49")


def test_case_study_hidden_layer(case_study):
    x, y, _, network = case_study
    losses, accuracy = case_study_run(network, x, y, 10000, 1000)
    assert_prints(losses[:7], "1.098744 0.294946 0.259301 0.248310 0.246170 0.245649 0.245491")
    np.testing.assert_allclose(losses[7:], [0.245400, 0.245335, 0.245292], atol=5e-6)  # last bits have grown to these
    assert_prints(accuracy, "0.98")


# Matt Mazur, "A Step by Step Backpropagation Example", 2015:
# https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/


def offset(b):
    """A sigmoid of z + b: a bias that is not trained, as he leaves his."""
    return Activation(
        f"sigmoid of z + {b}", lambda z: 1 / (1 + z.__array_namespace__().exp(-z - b)), lambda z, a: a * (1 - a)
    )


def test_mazur_step_by_step():
    w1_to_w4, w5_to_w8 = np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([[0.40, 0.50], [0.45, 0.55]])
    start = Params([Layer(w1_to_w4, None, offset(0.35)), Layer(w5_to_w8, None, offset(0.60))])
    x, y = [[0.05, 0.10]], [[0.01, 0.99]]
    shown = attrs.evolve(funcnn.LOSSES["half_sse"], report=None)
    final, history = train(start, x, y, loss=shown, lr=0.5, epochs=10000, snapshots=[1])
    assert_prints(funcnn.forward(start, x), "0.75136507 0.772928465")
    (_, once), *_ = history.snapshots
    assert_prints(once.layers[1].w.T, "0.35891648 0.408666186 0.511301270 0.561370121")
    assert_prints(once.layers[0].w.T, "0.149780716 0.19956143 0.24975114 0.29950229")
    assert_prints(history.loss[[0, 9999]], "0.298371109 0.0000351085")
    # These come out so where the output's weights are moved before the error goes back through them, against his text.
    np.testing.assert_allclose(history.loss[1], 0.291027924, rtol=1e-6)
    np.testing.assert_allclose(funcnn.forward(final, x), [[0.015912196, 0.984065734]], rtol=1e-4)


# Michael Nielsen, "Neural Networks and Deep Learning", 2015: http://neuralnetworksanddeeplearning.com/chap3.html


def test_nielsen_saturated_neuron():
    """One neuron is to turn 1 into 0. From 0.6 and 0.9 it learns it in 300 epochs; from 2 and 2 it is slow to."""
    start = Params([Layer(np.array([[[0.6]], [[2.0]]]), np.array([[[0.9]], [[2.0]]]))])
    final, _ = train(start, [[1.0]], [[0.0]], lr=0.15, epochs=300)
    assert_prints(funcnn.forward(start, [[1.0]]), "0.82 0.98")
    assert_prints(funcnn.forward(final, [[1.0]])[0], "0.09")
    assert funcnn.forward(final, [[1.0]])[1] > 0.15


# scikit-learn, sklearn/neural_network/tests/test_mlp.py, test_fit: compared to three decimals.
# https://github.com/scikit-learn/scikit-learn/blob/main/sklearn/neural_network/tests/test_mlp.py


def test_scikit_learn_worked_example():
    hidden = Layer(np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0.0]]), np.array([[0.1, 0.1]]), "sigmoid")
    start = Params([hidden, Layer(np.array([[0.1], [0.2]]), np.array([[1.0]]), "none")])
    x, y = [[0.6, 0.8, 0.7]], [[0.0]]
    final, _ = train(start, x, y, loss="sigmoid_binary_cross_entropy", lr=0.1, l2=0.1, epochs=1)
    _, h, logit = funcnn.backprop(start, x, y).a
    assert_prints(h, "0.679178699175393 0.574442516811659")
    assert_prints(1 / (1 + np.exp(-logit)), "0.765")
    first, second = final.layers
    theirs = {"atol": 1.5e-3, "rtol": 0}  # numpy.testing.assert_almost_equal with decimal=3
    np.testing.assert_allclose(first.w, [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]], **theirs)
    np.testing.assert_allclose(second.w, [[0.04706], [0.154089]], **theirs)
    np.testing.assert_allclose(first.b, [[0.098333, 0.09626]], **theirs)
    np.testing.assert_allclose(second.b, [[0.9235]], **theirs)
    np.testing.assert_allclose(1 / (1 + np.exp(-funcnn.forward(final, x))), [[0.739]], **theirs)

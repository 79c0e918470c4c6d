"""How well and how quickly a table is learnt when no option is given, beside scikit-learn and PyTorch.

``python tests/bench/tables.py [accuracy] [training] [process]`` prints a table each: scikit-learn's bundled sets and a
made regression, over five seeds of split and start. Needs the extras ``[fast,bench]``.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import csv
import itertools
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import interleaved, seconds, spread

import funcnn

SEEDS = range(5)
BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def houses(samples=4000):
    """Return a made regression of California's kind: eight inputs, curved and with interactions, and noise."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(samples, 8))
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] ** 2 + 0.3 * rng.normal(size=samples)
    return x, 200_000 + 50_000 * y


def loaded(name):
    if name == "houses":
        return houses()
    found = getattr(datasets, f"load_{name}")()
    return found.data, found.target


def written(path, x, y, classed):
    """Write a table whose classes are called class 0, class 1, …"""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{place}" for place in range(x.shape[1])), "label"])
        writer.writerows(
            [*map(float, row), f"class {label}" if classed else label] for row, label in zip(x, y, strict=True)
        )
    return str(path)


def scored(name, seed, folder):
    """Return the test score of each contestant: accuracy of classes, R² of numbers."""
    (x, y), classed = loaded(name), name not in ("diabetes", "houses")
    parts = train_test_split(x, y, test_size=0.25, random_state=seed, stratify=y if classed else None)
    train, test = (written(folder / f"{part}.csv", *parts[at::2], classed) for at, part in enumerate(("train", "test")))
    fields = {**funcnn.recipe(funcnn.read(train, "label")), "test": 0.0, "seed": seed, "data_seed": seed}
    run = funcnn.run(funcnn.Experiment(data=train, target=("label",), **fields))
    found = funcnn.evaluate(run, test)
    scores = {"funcnn": float(found.r2[0]) if not classed else np.trace(found.confusion) / found.samples}
    for early in (False, True):
        model = (MLPClassifier if classed else MLPRegressor)(random_state=seed, early_stopping=early)
        fit = make_pipeline(StandardScaler(), model).fit(parts[0], parts[2])
        scores["early stopping" if early else "default"] = fit.score(parts[1], parts[3])
    return scores


def accuracy():
    """Print the median scores over seeds."""
    print("| set | funcnn | scikit-learn's MLP | with early stopping |\n| --- | --: | --: | --: |")
    for name in (*BUNDLED, "houses"):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
            every = [scored(name, seed, Path(folder)) for seed in SEEDS]
        medians = (statistics.median(one[key] for one in every) for key in every[0])
        print(f"| {name} | {' | '.join(f'{one:.4f}' for one in medians)} |", flush=True)


def _theirs(x, y, widths, epochs):
    model = MLPClassifier if y.ndim == 1 and y.dtype.kind == "i" else MLPRegressor
    some = {"batch_size": 32, "alpha": 0.0, "shuffle": False, "tol": 0.0, "n_iter_no_change": epochs}
    return lambda: model(widths, max_iter=epochs, **some).fit(x, y)


def _torchs(x, y, widths, epochs, loss):
    import torch

    torch.set_num_threads(1)
    x, y = torch.tensor(x), torch.tensor(y)
    outputs = int(y.max()) + 1 if loss == "softmax_cross_entropy" else 1
    sizes = (x.shape[1], *widths, outputs)

    def train():
        layers = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(fan_in, fan_out, dtype=torch.float64), torch.nn.ReLU()]
        net = torch.nn.Sequential(*layers[:-1])
        adam = torch.optim.Adam(net.parameters(), 1e-3)
        objective = torch.nn.CrossEntropyLoss() if outputs > 1 else torch.nn.BCEWithLogitsLoss()
        for _ in range(epochs):
            for begin in range(0, len(x), 32):
                target = y[begin : begin + 32]
                adam.zero_grad()
                said = net(x[begin : begin + 32])
                objective(said, target if outputs > 1 else target[:, None].to(said.dtype)).backward()
                adam.step()

    return train


def training(rounds=5, epochs=100):
    """Print the seconds of the same layers, batches, rate and epochs."""
    print("| set | funcnn, s | ÷ scikit-learn | ÷ PyTorch eager |\n| --- | --: | --: | --: |")
    for name in BUNDLED[:4]:
        x, y = loaded(name)
        x = np.ascontiguousarray(StandardScaler().fit_transform(x))
        fields = funcnn.recipe(funcnn.Dataset(x, np.eye(y.max() + 1)[y] if y.max() > 1 else y[:, None].astype(float)))
        target = np.eye(y.max() + 1)[y] if y.max() > 1 else y[:, None].astype(float)
        some = {key: fields[key] for key in ("optimizer", "lr", "batch_size", "loss")}
        start = funcnn.init(
            (x.shape[1], *fields["hidden"], target.shape[1]), act="relu", out_act="none", bias=True, scheme="he"
        )
        runs = {
            "funcnn": lambda: funcnn.train(start, x, target, epochs=epochs, log_every=epochs, **some),  # noqa: B023
            "sklearn": _theirs(x, y, fields["hidden"], epochs),
            "torch": _torchs(x, y, fields["hidden"], epochs, fields["loss"]),
        }
        with warnings.catch_warnings(action="ignore"):
            for run in runs.values():
                run()
            taken = interleaved(runs, rounds)
        ratios = [[a / b for a, b in zip(taken["funcnn"], taken[key], strict=True)] for key in ("sklearn", "torch")]
        print(f"| {name} | {statistics.median(taken['funcnn']):.3f} | {' | '.join(map(spread, ratios))} |", flush=True)


SCRIPT = """
import csv, sys, warnings
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
warnings.simplefilter("ignore")
rows = list(csv.reader(open(sys.argv[1])))[1:]
x, y = np.array([row[:-1] for row in rows], float), np.array([row[-1] for row in rows])
a, b, c, d = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
model = MLPClassifier((64, 32), batch_size=32, max_iter=500, early_stopping=False, random_state=0)
print(make_pipeline(StandardScaler(), model).fit(a, c).score(b, d))
"""


def process(rounds=7):
    """Print the seconds of whole processes on iris."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder, "iris.csv"), *loaded("iris"), True)
        ours = [sys.executable, "-m", "funcnn", "run", path, "--target", "label", "--quiet"]
        runs = {
            "funcnn": lambda: subprocess.run(ours, check=True, capture_output=True),
            "sklearn": lambda: subprocess.run([sys.executable, "-c", SCRIPT, path], check=True, capture_output=True),
        }
        for run in runs.values():
            seconds(run)
        taken = interleaved(runs, rounds)
    ratios = [a / b for a, b in zip(taken["funcnn"], taken["sklearn"], strict=True)]
    print(f"whole process: {spread(taken['funcnn'])} s; ÷ scikit-learn's script {spread(ratios)}")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("accuracy", "training", "process"):
        {"accuracy": accuracy, "training": training, "process": process}[name]()

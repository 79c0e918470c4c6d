"""Write scikit_learn.json: what scikit-learn's own solvers make of small networks.

``python tests/data/record_scikit_learn.py`` needs the extra [bench]. Nothing imports this: the tests read the file.
"""

import json
import warnings
from pathlib import Path

import numpy as np

#: What all share; runs do not end before their epochs do, and take the samples as they come.
COMMON = {"shuffle": False, "tol": 0.0, "n_iter_no_change": 10**6, "random_state": 1}
CASES = {
    "nesterov": {
        "hidden_layer_sizes": 5, "activation": "tanh", "learning_rate_init": 0.1, "alpha": 0.2, "batch_size": 8,
    },
    "momentum": {
        "hidden_layer_sizes": (6, 4), "activation": "relu", "learning_rate_init": 0.05, "alpha": 0.3, "batch_size": 24,
        "nesterovs_momentum": False,
    },
    "invscaling": {
        "hidden_layer_sizes": 4, "activation": "logistic", "learning_rate_init": 0.5, "alpha": 0.0, "batch_size": 10,
        "momentum": 0, "learning_rate": "invscaling",
    },
    "adam": {
        "hidden_layer_sizes": 5, "activation": "tanh", "learning_rate_init": 0.02, "alpha": 0.2, "batch_size": 8,
        "solver": "adam",
    },
}  # fmt: skip
EPOCHS = 60


def targets(name: str, x: np.ndarray) -> np.ndarray:
    """Classes of which two or three are there, or for invscaling two numbers a sample."""
    if name == "invscaling":
        return np.stack([np.sin(2 * x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    parts = (x[:, 0] * x[:, 1] > 0).astype(int)
    return parts + (x[:, 2] > 0.5) if name == "momentum" else parts


def record(name: str, some: dict, x: np.ndarray) -> dict:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    y = targets(name, x)
    kind = MLPRegressor if y.ndim == 2 else MLPClassifier
    some = {"solver": "sgd"} | COMMON | some
    # A step of no length leaves the weights that a run begins with.
    start = kind(**some | {"learning_rate_init": 1e-300, "max_iter": 1}).fit(x, y)
    end = kind(**some, max_iter=EPOCHS).fit(x, y)
    layers = {
        when: [[w.tolist(), b.tolist()] for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
        for when, model in (("start", start), ("end", end))
    }
    return {"settings": some, "y": y.tolist(), **layers, "loss_curve": end.loss_curve_}


def main() -> None:
    import sklearn

    warnings.simplefilter("ignore")  # that it has not converged
    x = np.random.default_rng(5).normal(size=(24, 3)).round(3)
    cases = {name: record(name, some, x) for name, some in CASES.items()}
    whole = {"scikit-learn": sklearn.__version__, "epochs": EPOCHS, "x": x.tolist(), "cases": cases}
    Path(__file__).with_name("scikit_learn.json").write_text(json.dumps(whole) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What stands in the sections of the page: numbers, tables and pictures."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .. import plotting
from ..diagnosis import headline
from ..network import forward
from ..runs import scores
from ..settings import Experiment
from .numbers import report_accuracies, report_numbers
from .results import APART, Result, accuracy_row, deaths, log_rows, replay
from .statistics import HIGH, LOW, commonest, quantile, standing
from .suites import SUITES
from .texts import label, number, percent, share, table

Results = Mapping[Experiment, Result]


Figures = dict[str, Figure]


#: What the words of a section need: texts by placeholder, and the pictures they show by file name.
Parts = tuple[dict[str, str], Figures]


def _pictures(pictures: dict[str, tuple[str, Figure]]) -> tuple[str, Figures]:
    """Return the Markdown of pictures, two side by side, and the pictures; from (what it shows, picture) by name."""
    lines = [f'<img src="{name}.svg" alt="{alt}" width="49%">' for name, (alt, _) in pictures.items()]
    return "\n".join(lines) + "\n", {f"{name}.svg": figure for name, (_, figure) in pictures.items()}


def picture_name(e: Experiment, kind: str) -> str:
    """Return the name, without suffix, of an experiment's picture of this kind."""
    return "-".join([re.sub(r"[^a-z0-9.]+", "-", label(e)), kind])


def _curves(results: Results, experiments: Iterable[Experiment]) -> tuple[str, Figures]:
    """Return the learning curves: band over the seeds, the default run, and the report's log where there is one."""
    logs = {Experiment(data=data): base["training_log"] for data, base in report_numbers()["base"].items()}
    return _pictures(
        {
            picture_name(e, "learning"): (
                f"learning curve: {label(e)}",
                # The default run is the member after the seeds.
                plotting.learning_band(results[e].ensemble, seeds, logs.get(e), among=slice(seeds)),
            )
            for e, seeds in ((e, len(results[e].loss)) for e in experiments)
        }
    )


def _truths(results: Results, experiments: Iterable[Experiment]) -> tuple[str, Figures]:
    """Return ground truth beside prediction, and the decision surface, of the default run."""
    kinds = (
        ("truth", "ground truth and prediction", plotting.ground_truth),
        ("surface", "decision surface", plotting.decision_surface),
    )
    return _pictures(
        {
            picture_name(e, kind): (f"{words}: {label(e)}", draw(results[e].solo))
            for e in experiments
            for kind, words, draw in kinds
        }
    )


def _accuracies(results: Results, name: str, first: str, setting: Callable[[Experiment], str]) -> str:
    """Return the accuracy table of a suite."""
    report = report_accuracies()[name]
    header = [first, "data", "report", "ours", "median", "10–90 %", "at 100 %", "dead", "diverged", "report at"]
    rows = []
    for e in SUITES[name]:
        row = accuracy_row(results[e], report.get(e))
        spread = f"{percent(row['low'])}–{percent(row['high'])}"
        accuracies = [percent(row[key]) for key in ("report", "ours", "median")]
        shares = [share(row[key]) for key in ("learned", "dead", "diverged", "standing")]
        rows.append([setting(e), e.data, *accuracies, spread, *shares])
    return table(header, rows)


def _learned(results: Results, e: Experiment) -> str:
    return share(np.mean(results[e].accuracy == 1))


def _network(results: Results) -> Parts:
    setup = report_numbers()["setup"]
    solo = results[SUITES["network"][0]].solo
    start = solo.history.snapshots[0][1]
    text, figures = _pictures(
        {
            "network-start": ("the initial weights", plotting.network(start, title="initial weights")),
            "network-trained": ("the trained weights", plotting.network(solo.params, title="trained on XOR")),
            "sigmoid": ("the sigmoid and its derivative", plotting.activation("sigmoid")),
        }
    )
    parts = {
        "network_pictures": text,
        "report_sizes": "-".join(map(str, setup["sizes"])),
        "report_act": setup["activation"],
        "report_lr": str(setup["learning_rate"]),
        "report_epochs": f"{setup['epochs']:,}",
        "report_log_every": str(setup["log_every"]),
    }
    return parts, figures


def _base(results: Results) -> Parts:
    report = report_numbers()["base"]
    curves, figures = _curves(results, SUITES["base"])
    truths, more = _truths(results, SUITES["base"])
    parts = {
        "base_table": _accuracies(results, "base", "activation", lambda e: str(e.act)),
        "base_curves": curves,
        "base_truths": truths,
        "base_linear_median": percent(quantile(results[APART].accuracy, 0.5)),
        **_replay(),
    }
    standings = [row["standing"] for row in log_rows(results[APART], report[APART.data]["training_log"])]
    parts["linear_low"], parts["linear_high"] = share(min(standings)), share(max(standings))
    for e in SUITES["base"]:
        parts[f"base_{e.data}_learned"] = _learned(results, e)
        parts[f"{e.data}_log"] = _log(results[e], report[e.data]["training_log"])
        parts[f"{e.data}_listing"] = _predictions(results[e], report[e.data])
    return parts, figures | more


def _log(result: Result, log: list[list[float]]) -> str:
    """Return a log of the report beside ours and the distribution."""
    keys = ("report", "ours", "median", "low", "high")
    rows = log_rows(result, log)
    return table(
        ["epoch", "report", "ours", "median", "10 %", "90 %", "report at"],
        [[str(row["epoch"]), *[number(row[key]) for key in keys], share(row["standing"])] for row in rows],
    )


def spread_parts(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the spread on linear data as a table, and whose it is in words."""
    shares = {(row["figure"], row["drawn"]): row["share"] for row in rows if row["share"] is not None}
    words = []
    for more, less in (("weights", "points"), ("points", "weights")):
        names = [
            f"the {name} ({share(shares[name, more])} against {share(shares[name, less])})"
            for name in dict.fromkeys(name for name, _ in shares)
            if shares[name, more] > shares[name, less]
        ]
        words += [f"more the {more}' than the {less}' in {', '.join(names)}"] if names else []
    cells = [
        [
            row["figure"],
            row["drawn"],
            *[(percent if row["figure"] == "accuracy" else number)(row[key]) for key in ("low", "median", "high")],
            share(row["standing"]),
            share(row["share"]),
        ]
        for row in rows
    ]
    return {
        "spread_words": ", and ".join(words) or "nothing that so few seeds could show",
        "spread_table": table(["figure", "drawn", "10 %", "median", "90 %", "report at", "share of variance"], cells),
    }


def _predictions(result: Result, theirs: dict[str, Any]) -> str:
    """Return the report's test listing and training predictions beside ours."""
    solo = result.solo
    last = theirs.get("last_training_predictions") or theirs["training_predictions"]
    ours = forward(solo.params, solo.train.x)[-len(last) :, 0]
    first = len(solo.train.x) - len(last)
    rows = [[str(first + i), f"{a:.9g}", f"{b:.9g}"] for i, (a, b) in enumerate(zip(last, ours, strict=True))]
    return "\n".join(
        [
            _test_listing(result, theirs["test"]),
            f"And the predictions on the last {len(last)} training samples, in order.\n",
            table(["sample", "report", "ours"], rows),
        ]
    )


def _test_listing(result: Result, theirs: dict[str, Any]) -> str:
    """Return a test listing of the report beside that of the default run, with loss and accuracy."""
    test, y_hat = result.solo.test, forward(result.solo.params, result.solo.test.x)[:, 0]
    loss, accuracy = scores(result.solo)
    below = standing(result.loss, theirs["loss"], 1e-5)
    low, median, high = (number(quantile(result.loss, q)) for q in (LOW, 0.5, HIGH))
    rows = [
        [str(i), f"{truth:.1f}", f"{prediction:.5f}", f"{test.y[i, 0]:.1f}", f"{y_hat[i]:.5f}"]
        for i, truth, prediction in theirs["rows"]
    ]
    return "\n".join(
        [
            f"The report's test ended with loss {theirs['loss']} and accuracy {theirs['accuracy_percent']:.2f} %, ours",
            f"with loss {loss:.5f} and accuracy {percent(accuracy)} %. Over the seeds the test loss has median",
            f"{median} and 10–90 % {low} to {high}; {share(below)} of them are below the report's.",
            "",
            table(["test sample", "report: truth", "report: prediction", "ours: truth", "ours: prediction"], rows),
        ]
    )


def _replay() -> dict[str, str]:
    """Return the report's own XOR run beside our replay of it."""
    ran, log, predictions = replay()
    loss, accuracy = scores(ran)
    return {
        "replay_log_error": f"{max(abs(row['ours'] / row['report'] - 1) for row in log):.0e}",
        "replay_prediction_error": f"{max(abs(row['ours'] - row['report']) for row in predictions):.0e}",
        "replay_loss": f"{loss:.5f}",
        "replay_accuracy": percent(accuracy),
        "replay_log": table(
            ["epoch", "report", "replayed"],
            # Nine digits are what the recovered weights carry; the last ones differ between machines.
            [[str(row["epoch"]), f"{row['report']:.9g}", f"{row['ours']:.9g}"] for row in log],
        ),
        "replay_predictions": table(
            ["sample", "report", "replayed"],
            [[str(row["sample"]), f"{row['report']:.8f}", f"{row['ours']:.8f}"] for row in predictions],
        ),
    }


def _learning_rate(results: Results) -> Parts:
    curves, figures = _curves(results, SUITES["learning-rate"])
    low, middle, high = (Experiment(data="xor", lr=lr) for lr in (0.01, 0.1, 1.0))
    report = report_accuracies()["learning-rate"][low]
    parts = {
        "rate_table": _accuracies(results, "learning-rate", "learning rate", lambda e: f"{e.lr:g}"),
        "rate_curves": curves,
        "rate_low_learned": _learned(results, low),
        "rate_middle_learned": _learned(results, middle),
        "rate_high_learned": _learned(results, high),
        "rate_low_standing": share(standing(results[low].accuracy, report)),
        "rate_middle_stuck": share(np.mean(np.isinf(results[middle].converged))),
        "rate_high_stuck": share(np.mean(np.isinf(results[high].converged))),
    }
    return parts, figures


def _hidden_units(results: Results) -> Parts:
    curves, figures = _curves(results, SUITES["hidden-units"])
    parts = {
        "units_table": _accuracies(results, "hidden-units", "units", lambda e: str(e.hidden[0])),
        "units_curves": curves,
        "units_2_common": percent(commonest(results[Experiment(hidden=(2, 2))].accuracy)),
        **{f"units_{h}_learned": _learned(results, Experiment(hidden=(h, h))) for h in (2, 3, 4)},
    }
    return parts, figures


def _no_activation(results: Results) -> Parts:
    curves, figures = _curves(results, SUITES["no-activation"])
    truths, more = _truths(results, [e for e in SUITES["no-activation"] if e.act == "none"])
    xor = results[Experiment(data="xor", act="none")]
    common = commonest(xor.accuracy)
    parts = {
        "none_table": _accuracies(results, "no-activation", "activation", lambda e: str(e.act)),
        "none_curves": curves,
        "none_truths": truths,
        "none_common": percent(common),
        "none_common_share": share(np.mean(xor.accuracy == common)),
        "none_diverged": share(np.mean(xor.diverged)),
    }
    return parts, figures | more


def _relu(results: Results) -> Parts:
    curves, figures = _curves(results, SUITES["relu"])
    truths, more = _truths(results, SUITES["relu"])
    report = report_numbers()["relu"]
    listings = [
        f"### Test listing: {e.data}\n\n{_test_listing(results[e], report[e.data]['test'])}" for e in SUITES["relu"]
    ]
    parts = {
        "relu_table": _accuracies(results, "relu", "activation", lambda e: str(e.act)),
        "relu_curves": curves,
        "relu_truths": truths,
        "relu_dead": share(np.mean(results[Experiment(act="relu")].dead)),
        "relu_listings": "\n".join(listings),
    }
    return parts, figures | more


def _dead_relu(results: Results) -> Parts:
    found = deaths(results[SUITES["dead-relu"][0]])
    if found is None:
        return {"dead_text": "None of these seeds dies; more seeds will show one that does."}, {}
    log, seed = report_numbers()["dead_relu"]["training_log"], found.run.experiment.seed
    text, figures = _pictures(
        {
            "dead-relu-gradients": ("gradient norm of each layer", plotting.gradient_norms(found.dying)),
            "dead-relu-learning": ("learning curve of the run that died", plotting.learning_curve(found.dying)),
        }
    )
    words = [
        f"{share(found.share)} of the seeds end so, {share(found.at_once)} in their very first epoch. The first seed",
        f"that dies is {found.first_seed}: {headline(found.first)}. The one that learned longest before it died is",
        f"{seed}: {headline(found.latest)}. Here is that one beside the report's log, and the norm of each",
        "layer's gradient, which falls to exactly 0 and stays there.",
        "",
        table(
            ["epoch", "report", f"ours, seed {seed}"],
            [[str(epoch), repr(loss), repr(float(found.run.history.loss[epoch]))] for epoch, loss in log],
        ),
        text,
    ]
    return {"dead_text": "\n".join(words)}, figures


SECTIONS: dict[str, Callable[[Results], Parts]] = {
    "network": _network,
    "base": _base,
    "learning-rate": _learning_rate,
    "hidden-units": _hidden_units,
    "no-activation": _no_activation,
    "relu": _relu,
    "dead-relu": _dead_relu,
}

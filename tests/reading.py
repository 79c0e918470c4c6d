"""An independent reading of what runs came to, which `funcnn.diagnose` is held against.

It has formulas of its own: predictions layer by layer, gradients sample by sample from `funcnn.grads`, slopes from
finite differences, and the losses' way from Kendall's rank correlation and Theil and Sen's slope. It says which
verdicts can be: that is one, but where the losses are close to the bound between several.

    .venv/bin/python tests/reading.py             # all combinations, 200 seeds each: about an hour on one core
    .venv/bin/python tests/reading.py --seeds 20  # quicker; --data, --act, --lr and --optimizer pick some
"""

import argparse
import collections
import itertools
import sys

import numpy as np

import funcnn
from funcnn import Experiment

RATES = (0.01, 0.1, 1.0)
EPOCHS = {"xor": 1200, "linear": 250}  # 25,000 updates each
BY_LOSS = {"rising", "unstable", "plateau", "unfinished"}


def activations_of(params, x):
    """Return every z and the output, for all members at once."""
    a, zs = x, []
    for layer in params.layers:
        zs.append(np.matmul(a, layer.w) if layer.b is None else np.matmul(a, layer.w) + layer.b)
        a = funcnn.ACTIVATIONS[layer.act].apply(zs[-1])
    return zs, a


def slopes_around(act, z):
    """Return the slopes of an activation to the left and to the right of z, (2, …), which differ at kinks alone."""
    h = 1e-6 + 1e-9 * np.abs(z)
    apply = funcnn.ACTIVATIONS[act].apply
    return np.abs([apply(z) - apply(z - h), apply(z + h) - apply(z)]) / h


def gradient_is_zero(params, x, y, loss):
    """Tell for each layer, sample and member whether the sample's own gradient is 0 there: (L, n, K)."""
    found = []
    for i in range(len(x)):
        one = funcnn.grads(params, x[i : i + 1], y[i : i + 1], loss=loss)
        found.append([np.all(layer.w == 0, axis=(-2, -1)) for layer in one.layers])
    return np.moveaxis(np.array(found), 0, 1)


def steps(values):
    """Return the steps from value to later value, and over how many, for pairs of the means of some 30 blocks.

    Of an even number of epochs, since near the edge of stability every other epoch is the better one.
    """
    size = 2 * max(1, len(values) // 60)
    means = values[len(values) % size :].reshape(-1, size).mean(axis=1)
    i, j = np.triu_indices(len(means), 1)
    return means[j] - means[i], size * (j - i)


def kendall(values):
    """Return Kendall's rank correlation of values with their places, -1 to 1."""
    return float(np.mean(np.sign(steps(values)[0])))


def theil_sen(values):
    """Return by which share of their median values grow from first to last: by the median of the slopes of pairs."""
    way, over = steps(values)
    return float(np.median(way / over) * (len(values) - 1) / np.median(values))


def by_loss(loss):
    """Return the verdicts that losses over epochs allow."""
    if len(loss) < 10:
        if not np.isfinite(loss).all():
            return {"rising"}
        return {"unfinished"} if loss[-1] < 1.2 * loss[0] and loss.max() < 1.2 * loss[0] else {"unfinished", "rising"}
    tail = loss[-max(10, len(loss) // 10) :]
    if not np.isfinite(tail).all():
        return {"rising"}
    thirds = np.array_split(tail, 3)
    between = np.median(thirds[-1]) / np.median(thirds[0]) - 1
    tau, way, wide = kendall(tail), theil_sen(tail), np.subtract(*np.quantile(tail, (0.9, 0.1))) / np.median(tail)
    level = np.median(tail[-max(1, len(tail) // 5) :])
    # How far it has come up again: from the best tenth in a row, and from the best fiftieth, in a row or not.
    surely = level / min(loss[0], *map(np.median, np.array_split(loss, 10)))
    perhaps = level / min(loss[0], np.quantile(loss, 0.02))
    if surely > 2.2 and tau > -0.3:
        return {"rising"} | ({"unstable"} if wide > 0.15 else set())  # the same, with the same remedy
    risen = {"rising"} if perhaps > 1.8 else set()
    sure = 0.018 if len(tail) > 20 else 0.06
    if tau < -0.95 and max(way, between) < -sure:
        # One leap down is progress where it leads to what was never seen; else the loss may leap up again.
        leap = np.max(np.diff(np.sort(tail))) / np.ptp(tail)
        before = np.quantile(loss[: -len(tail)], 0.05) if len(loss) > len(tail) else loss[0]
        return {"unfinished"} | risen | ({"unstable"} if leap > 0.3 and level > 0.7 * before else set())
    if tau > 0.95 and min(way, between) > sure:
        return {"rising"} | ({"unstable"} if wide > 0.15 else set())
    ends = level / np.median(tail[: max(1, len(tail) // 5)]) - 1
    if max(abs(way), abs(between), abs(ends)) < 0.008 and wide < 0.15:
        return risen | {"plateau", "unfinished"} - {{True: "plateau", False: "unfinished"}.get(falls_on(loss))}
    if abs(tau) < 0.1 and abs(between) < 0.1 and wide > 0.3:
        before = np.quantile(loss[: -len(tail)], 0.05) if len(loss) > len(tail) else loss[0]
        return {"unstable"} | risen | ({"unfinished"} if level < 0.85 * before else set())
    return BY_LOSS


def falls_on(loss):
    """Tell whether losses that hardly change surely fall, as fast at last as before; None where that is not sure."""
    found, tail = [], loss[-max(10, len(loss) // 10) :]
    band = np.subtract(*np.quantile(tail, (0.9, 0.1))) / np.median(tail)
    for some in (loss[len(loss) // 2 :], tail):
        tau, way = kendall(some), theil_sen(some)
        first, last = (theil_sen(part) for part in (some[: max(6, len(some) // 4)], some[-max(6, len(some) // 4) :]))
        ended = len(some) >= 40 and last > 0.01 * first and band < 0.005 * abs(way)
        sure = tau < -0.98 and way < -2e-5 and 0.5 * first > last > 2 * first and band > 0.05 * abs(way)
        found.append(True if sure else False if tau > -0.3 or way > -5e-6 or ended else None)
    return True if True in found else False if found == [False, False] else None


class Reading:
    """What one ensemble came to."""

    def __init__(self, run):
        self.run, self.history = run, run.history
        self.x, self.y = run.train.x, run.train.y
        with np.errstate(all="ignore"):
            self.z, self.y_hat = activations_of(run.params, self.x)
            around = [slopes_around(layer.act, z) for layer, z in zip(run.params.layers, self.z, strict=True)]
            self.least, self.most = ([reduce(slope, axis=0) for slope in around] for reduce in (np.min, np.max))
            self.zero = gradient_is_zero(run.params, self.x, self.y, run.experiment.loss)
        self.gone = np.array(
            [not all(np.isfinite(layer.w[k]).all() for layer in run.params.layers) for k in self.members]
        )

    @property
    def members(self):
        return range(len(self.run.params.layers[0].w))

    def missing(self, k):
        """Tell which samples are wrong, or of a class all of whose outputs lie on the threshold."""
        out, y = self.y_hat[k, :, 0], self.y[:, 0]
        wrong = ~np.isfinite(out) | ((out > 0.5) != (y > 0.5))
        for label in (0, 1):
            if np.all(out[y == label] == 0.5):
                wrong = wrong | (y == label)
        return wrong

    def way_of_weights(self, k):
        """Return how far a member's weights are from where they began, as a share of their first size."""
        (_, first), last = self.history.snapshots[0], self.run.params
        pairs = [(one.w[k], other.w[k]) for one, other in zip(first.layers, last.layers, strict=True)]
        first, last = (np.concatenate([one.ravel() for one in some]) for some in zip(*pairs, strict=True))
        return np.linalg.norm(last - first) / np.linalg.norm(first)

    def loss(self, k):
        loss = self.history.loss[:, k]
        return loss[~np.isnan(self.history.accuracy[:, k])]

    def verdicts(self, k):
        """Return which verdicts can be, None standing for none."""
        if self.gone[k]:
            return {"diverged"}
        missing = self.missing(k)
        if not missing.any():
            return {None}
        layers = range(len(self.least))
        # A layer passes nothing at any sample: neither its own weights nor those below have a gradient anywhere.
        shut = any(self.zero[: layer + 1, :, k].all() and self.least[layer][k].max() < 1e-9 for layer in layers)
        if shut or self.zero[:, missing, k].all():
            return {"dead"}
        can = by_loss(self.loss(k))
        flat = any(self.least[layer][k][missing].max() < 2e-6 for layer in layers)
        surely = any(self.most[layer][k][missing].max() < 5e-7 for layer in layers)
        half = self.loss(k)[len(self.loss(k)) // 2 :]
        stands = len(half) >= 5 and np.ptp(half) < 1e-6 * abs(half[-1])
        return {"dead"} if surely and stands else can | {"dead"} if flat else can


def check(reading, k, said):
    """Hold one member's diagnosis against the reading; return whether the reading left a choice."""
    can = reading.verdicts(k)
    kind = said.kind if said else None
    if said and "unfinished" in can:
        # What stands in the way of a loss that falls slowly matters more, and so does that it falls too slowly.
        pace = theil_sen(reading.loss(k)[-max(10, len(reading.loss(k)) // 10) :])
        obstructed, far = said.cause not in (None, "rate"), reading.way_of_weights(k) > 0.9
        if (obstructed and pace > -0.015) or (far and pace > -0.0015):
            can = can | {"plateau"}
    assert kind in can, f"{kind} where it is {can}"
    if said is None:
        return False
    missing, loss = reading.missing(k), reading.loss(k)
    if kind == "dead":
        if said.samples is not None:
            assert said.samples == missing.sum()
        rows = slice(None) if said.samples is None else missing
        if said.layer is not None:
            assert reading.least[said.layer][k][rows].max() < 2e-6, "the layer has slopes"
        if said.epoch is not None:
            since = loss[said.epoch :]
            assert not said.since or np.ptp(since) <= 1e-9 * abs(since[-1]), "it moved later"
    if kind in ("diverged", "rising", "unstable"):
        assert "lower lr" in said.remedies or said.cause == "batch"
        assert "higher lr" not in said.remedies
    if kind == "plateau":
        # A gradient reaches what is not learned, so waiting is a remedy, unless the losses have shown that it is not.
        assert not reading.zero[:, missing, k].all(), "nothing reaches it"
        if said.settled:
            assert "more epochs" not in said.remedies
            assert falls_on(loss) is not True, "it falls on"
        elif said.cause is None:
            assert "more epochs" in said.remedies, "waiting is a remedy"
        tail, half = loss[-max(10, len(loss) // 10) :], loss[len(loss) // 2 :]
        assert "higher lr" not in said.remedies or min(theil_sen(tail), theil_sen(half)) < 0.02, "it rises"
    if kind == "unfinished":
        assert said.remedies[0] == "more epochs" or said.cause
    return len(can) > 1


TABLE = {
    "data": tuple(EPOCHS),
    "act": tuple(funcnn.ACTIVATIONS),
    "lr": RATES,
    "optimizer": tuple(funcnn.OPTIMIZERS),
}


def combinations(options):
    chosen = {name: getattr(options, name) or values for name, values in TABLE.items()}
    return [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]


def compare(experiment):
    """Run an ensemble and hold the diagnosis of each member against the reading.

    Returns how often each verdict was given, how often the reading left a choice, and what disagreed.
    """
    run = funcnn.run(experiment)
    reading = Reading(run)
    given, open_, wrong = collections.Counter(), 0, []
    for k in reading.members:
        said = funcnn.diagnose(funcnn.member(run, k))
        given[said.kind if said else "learned"] += 1
        try:
            open_ += check(reading, k, said)
        except AssertionError as error:
            wrong.append((experiment, k, said, str(error).splitlines()[:1]))
    return given, open_, wrong


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    for name, kind in (("data", str), ("act", str), ("lr", float), ("optimizer", str)):
        parser.add_argument(f"--{name}", type=kind, nargs="+")
    options = parser.parse_args(arguments)
    total, left, bad = collections.Counter(), 0, []
    for number, fields in enumerate(combinations(options), 1):
        given, open_, wrong = compare(Experiment(**fields, seed=range(options.seeds), epochs=EPOCHS[fields["data"]]))
        total, left, bad = total + given, left + open_, bad + wrong
        print(f"{number:4} {' '.join(map(str, fields.values())):32} {dict(given)}", *wrong, sep="\n     ", flush=True)
    runs = sum(total.values())
    print(f"{runs} runs: {dict(total)}; {left / runs:.1%} close to a bound; {len(bad)} disagree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

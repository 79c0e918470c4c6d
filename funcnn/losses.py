"""The built-in objectives, each one record, and what is done with any of them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from . import arguments, validation
from .activations import ACTIVATIONS, activation, logistic, softplus
from .records import Array, Formula, Loss, Params, Row

REDUCTIONS = ("sum", "mean", "mean_samples")

#: Reductions over a sample's outputs, by name. logsumexp: log Σ e^ŷ, from the largest, so that nothing overflows.
ROWS = MappingProxyType(
    {
        row.name: row
        for row in (
            Row(
                "logsumexp",
                lambda y_hat, top: y_hat.__array_namespace__().exp(y_hat - top),
                lambda top, total: top + total.__array_namespace__().log(total),
            ),
        )
    }
)


def _shares(y: Array) -> Array:
    return (y >= 0) & (y <= 1)


def _distribution(y: Array) -> Array:
    return _shares(y) & (abs(np.sum(y, axis=-1, keepdims=True) - 1) < 1e-5)  # which is sure in float32 too


#: What targets of a loss must be, by name: in words, and the test.
TARGETS: Mapping[str, tuple[str, Callable[[Array], Array]]] = MappingProxyType(
    {
        "signs": ("targets -1 and 1", lambda y: abs(y) == 1),
        "shares": ("targets from 0 to 1", _shares),
        "distribution": ("targets from 0 to 1 that sum to 1 in each sample", _distribution),
    }
)


def _half_sse(y_hat: Array, y: Array) -> Array:
    """Half the summed squares, ½ Σ (ŷ − y)². Rumelhart, Hinton & Williams 1986, eq. 3."""
    return (y_hat - y) * (y_hat - y) / 2


def _mse(y_hat: Array, y: Array) -> Array:
    """(ŷ − y)², the mean over samples and outputs. Gauss 1809, Legendre 1805."""
    return (y_hat - y) * (y_hat - y)


def _mae(y_hat: Array, y: Array) -> Array:
    """|ŷ − y|, the mean over samples and outputs. Boscovich 1757, Laplace 1774."""
    return y_hat.__array_namespace__().abs(y_hat - y)


def _mae_slope(y_hat: Array, y: Array) -> Array:
    return y_hat.__array_namespace__().sign(y_hat - y)


def _huber(y_hat: Array, y: Array) -> Array:
    """½ e² where |e| ≤ 1, else |e| − ½; e = ŷ − y; the mean over samples and outputs. Huber 1964, with δ = 1."""
    xp = y_hat.__array_namespace__()
    size = xp.abs(y_hat - y)
    near = xp.minimum(size, 1.0)
    return near * (size - near / 2)


def _huber_slope(y_hat: Array, y: Array) -> Array:
    xp = y_hat.__array_namespace__()
    return xp.maximum(xp.minimum(y_hat - y, 1.0), -1.0)


def _log_cosh(y_hat: Array, y: Array) -> Array:
    """log cosh(ŷ − y), the mean over samples and outputs. Green 1990."""
    xp = y_hat.__array_namespace__()
    size = xp.abs(y_hat - y)
    return size + xp.log1p(xp.expm1(-2 * size) / 2)  # from e^−2|e|, so that nothing overflows


def _log_cosh_slope(y_hat: Array, y: Array) -> Array:
    return y_hat.__array_namespace__().tanh(y_hat - y)


def _hinge(y_hat: Array, y: Array) -> Array:
    """max(0, 1 − y ŷ), y = ±1; the mean over samples and outputs. Cortes & Vapnik 1995."""
    return y_hat.__array_namespace__().maximum(1 - y * y_hat, 0.0)


def _hinge_slope(y_hat: Array, y: Array) -> Array:
    xp = y_hat.__array_namespace__()
    return xp.where(y * y_hat < 1, -y, xp.zeros_like(y))


def _softmax_cross_entropy(y_hat: Array, y: Array, row: Array) -> Array:
    """−Σ y log softmax(ŷ) of logits, the mean over samples, as PyTorch's CrossEntropyLoss. Bridle 1990."""
    return y * (row - y_hat)


def _softmax_cross_entropy_slope(y_hat: Array, y: Array, row: Array) -> Array:
    return y_hat.__array_namespace__().exp(y_hat - row) - y


def _sigmoid_binary_cross_entropy(y_hat: Array, y: Array) -> Array:
    """log(1 + e^ŷ) − y ŷ of logits, the mean over samples and outputs, as PyTorch's BCEWithLogitsLoss. Cox 1958."""
    return softplus(y_hat) - y * y_hat


def _sigmoid_binary_cross_entropy_slope(y_hat: Array, y: Array) -> Array:
    return logistic(y_hat) - y


#: The built-in objectives by name. The squared ones report mse, the others themselves.
LOSSES = MappingProxyType(
    {
        loss.name: loss
        for loss in (
            Loss("half_sse", _half_sse, lambda y_hat, y: y_hat - y, report="mse"),
            Loss("mse", _mse, lambda y_hat, y: 2 * (y_hat - y), reduction="mean"),
            Loss("mae", _mae, _mae_slope, reduction="mean"),
            Loss("huber", _huber, _huber_slope, reduction="mean"),
            Loss("log_cosh", _log_cosh, _log_cosh_slope, reduction="mean"),
            Loss("hinge", _hinge, _hinge_slope, reduction="mean", targets="signs"),
            Loss(
                "softmax_cross_entropy",
                _softmax_cross_entropy,
                _softmax_cross_entropy_slope,
                reduction="mean_samples",
                row="logsumexp",
                logits=True,
                targets="distribution",
            ),
            Loss(
                "sigmoid_binary_cross_entropy",
                _sigmoid_binary_cross_entropy,
                _sigmoid_binary_cross_entropy_slope,
                reduction="mean",
                logits=True,
                targets="shares",
            ),
        )
    }
)


def loss_named(loss: str | Loss) -> Loss:
    """Return the objective called ``loss``; a `Loss` of one's own is returned as it is, its report looked up.

    Raises
    ------
    ValueError, TypeError
        If the name is unknown (the message lists the known ones and suggests the nearest), or a field of one's own
        loss is not what `Loss` says.
    """
    if not isinstance(loss, Loss):
        return arguments.known("loss", loss, LOSSES)
    one = _own(loss)
    if one is LOSSES.get(one.name) or not isinstance(one.report, Loss):
        return one
    shown = _own(one.report, "value")
    return arguments.changed(one, report=shown.name if shown is LOSSES.get(shown.name) else shown)


def _own(loss: Loss, *formulas: str) -> Loss:
    """Return a loss of the user's, whose fields must be what `Loss` says; the table's where it is that.

    ``formulas`` are those that it needs, both by default.
    """
    if isinstance(loss.name, str) and loss is LOSSES.get(loss.name):
        return loss
    arguments.formulas("loss", loss, *(formulas or ("value", "slope")))
    arguments.known("reduction", loss.reduction, dict.fromkeys(REDUCTIONS))
    if loss.row is not None:
        arguments.known("row", loss.row, ROWS)
    if loss.targets is not None:
        arguments.known("kind of targets", loss.targets, TARGETS)
    if loss.report is not None and not isinstance(loss.report, Loss):
        arguments.known("report", loss.report, LOSSES)
    arguments.flag(f"logits of loss {loss.name!r}", loss.logits)
    return LOSSES[loss.name] if arguments.of_table(loss, LOSSES) else loss


def check(loss: Loss, params: Params, y: Array, name: str = "y") -> None:
    """Refuse a network or targets with which a loss would give numbers that mean nothing.

    Targets of other libraries, which may be traced, are not looked at.

    Raises
    ------
    ValueError
        If the loss takes logits and the last layer has an activation; if it reduces the outputs of a sample and there
        is one; or if a target is not what the loss is for.
    """
    act = activation(params.layers[-1].act)
    if loss.logits and act is not ACTIVATIONS["none"]:
        raise arguments.ArgumentValueError(
            f"loss {loss.name!r} takes logits, so the last layer has no activation: give out_act='none'"
            f" (it has {act.name!r})"
        )
    if loss.logits and loss.row is not None and y.shape[-1] == 1:
        raise arguments.ArgumentValueError(
            f"loss {loss.name!r} compares the outputs of a sample, and there is one, which makes it constant:"
            " 'sigmoid_binary_cross_entropy' is for one output"
        )
    if loss.targets is not None and not arguments.foreign(y):
        words, test = TARGETS[loss.targets]
        wrong = np.argwhere(~test(y))
        if len(wrong):
            value, place = float(y[tuple(wrong[0])]), validation.place(wrong[0].tolist())
            sample = ", ".join(f"{one:g}" for one in y[tuple(wrong[0][:-1])])
            raise arguments.ArgumentValueError(
                f"loss {loss.name!r} expects {words}, got {value} in {name} at {place} (of {sample})"
            )


def check_signs(loss: Loss, params: Params) -> None:
    """Refuse to train a network towards targets -1 and 1 whose last activation gives numbers of one sign only.

    Raises
    ------
    ValueError
        If it does.
    """
    act = activation(params.layers[-1].act)
    if loss.targets == "signs":
        a = validation.elementwise("activation", act.name, act.apply, np.linspace(-10.0, 10.0, 41)[None])
        if not ((a < 0).any() and (a > 0).any()):
            raise arguments.ArgumentValueError(
                f"loss {loss.name!r} expects predictions of both signs, as targets -1 and 1 are, and the last layer's"
                f" {act.name!r} gives one only: out_act='none' or 'tanh' gives both"
            )


def report_of(loss: Loss) -> Loss:
    """Return the loss whose value is shown for this one, which `loss_named` gave."""
    return loss if loss.report is None else LOSSES[loss.report] if isinstance(loss.report, str) else loss.report


def count(loss: Loss, samples: int, outputs: int) -> int:
    """Return what the sum of so many contributions is divided by."""
    return {"sum": 1, "mean": samples * outputs, "mean_samples": samples}[loss.reduction]


def contributions(loss: Loss, y_hat: Array, y: Array) -> Array:
    """Return the value of a loss at each output of each sample, before its reduction."""
    return _called("loss", loss, loss.value, y_hat, y, constant=False)


def answers(loss: Loss, y_hat: Array) -> Array:
    """Return what predictions say that targets are: themselves, and of logits the probabilities p.

    The slope of a loss of logits is p − y; Bishop, Pattern Recognition and Machine Learning, 2006, 4.3.6.
    """
    if not loss.logits:
        return y_hat
    return slope(loss, y_hat, y_hat.__array_namespace__().zeros_like(y_hat)) * count(loss, *y_hat.shape[-2:])


def slope(loss: Loss, y_hat: Array, y: Array, weight: Array | None = None) -> Array:
    """Return the derivative of a loss over these samples with respect to each output, (..., n, k).

    ``weight`` (n,) multiplies each sample's.
    """
    result = _called("slope of loss", loss, loss.slope, y_hat, y)
    if loss.reduction != "sum":
        result = result * (1 / count(loss, y_hat.shape[-2], y_hat.shape[-1]))
    return result if weight is None else result * weight[..., None]


def _called(kind: str, loss: Loss, formula: Formula, y_hat: Array, y: Array, constant: bool = True) -> Array:
    """Call a formula of a loss; one's own is watched."""
    given = (y_hat, y, *_row(loss, y_hat))
    if loss is LOSSES.get(loss.name):
        return formula(*given)
    return validation.elementwise(kind, loss.name, formula, *given, constant=constant)


def value(loss: Loss, y_hat: Array, y: Array, weight: Array | None = None) -> Array:
    """Return a loss over these samples, with the leading axes that predictions (..., n, k) have."""
    each = contributions(loss, y_hat, y)
    if weight is not None:
        each = each * weight[..., None]
    total = each.__array_namespace__().sum(each, axis=(-2, -1))
    return total / count(loss, y_hat.shape[-2], y_hat.shape[-1])


def _row(loss: Loss, y_hat: Array) -> tuple[Array, ...]:
    if loss.row is None:
        return ()
    xp, row = y_hat.__array_namespace__(), ROWS[loss.row]
    top = xp.max(y_hat, axis=-1, keepdims=True)
    return (row.finish(top, xp.sum(row.term(y_hat, top), axis=-1, keepdims=True)),)

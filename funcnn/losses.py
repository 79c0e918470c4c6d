"""The built-in objectives, each one record, and what is done with any of them."""

from types import MappingProxyType

from . import validation
from .records import Array, Loss, Row

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

#: The built-in objectives by name. half_sse: ½ Σ (ŷ − y)², Rumelhart, Hinton & Williams 1986, eq. 3. Both report mse.
LOSSES = MappingProxyType(
    {
        loss.name: loss
        for loss in (
            Loss(
                "half_sse",
                lambda y_hat, y: (y_hat - y) * (y_hat - y) / 2,
                lambda y_hat, y: y_hat - y,
                report="mse",
            ),
            Loss(
                "mse",
                lambda y_hat, y: (y_hat - y) * (y_hat - y),
                lambda y_hat, y: 2 * (y_hat - y),
                reduction="mean",
            ),
        )
    }
)


def loss_named(loss: str | Loss) -> Loss:
    """Return the objective called ``loss``; a `Loss` is returned as it is.

    Raises
    ------
    ValueError, TypeError
        If the name is unknown (the message lists the known ones and suggests the nearest), or a field of one's own
        loss is.
    """
    if not isinstance(loss, Loss):
        return validation.known("loss", loss, LOSSES)
    validation.known("reduction", loss.reduction, dict.fromkeys(REDUCTIONS))
    if loss.row is not None:
        validation.known("row", loss.row, ROWS)
    return loss


def report_of(loss: Loss) -> Loss:
    """Return the loss whose value is shown for this one."""
    return loss if loss.report is None else loss_named(loss.report)


def count(loss: Loss, samples: int, outputs: int) -> int:
    """Return what the sum of so many contributions is divided by."""
    return {"sum": 1, "mean": samples * outputs, "mean_samples": samples}[loss.reduction]


def contributions(loss: Loss, y_hat: Array, y: Array) -> Array:
    """Return the value of a loss at each output of each sample, before its reduction."""
    return validation.elementwise("loss", loss.name, loss.value, y_hat, y, *_row(loss, y_hat))


def slope(loss: Loss, y_hat: Array, y: Array, weight: Array | None = None) -> Array:
    """Return the derivative of a loss over these samples with respect to each output, (..., n, k).

    ``weight`` (n,) multiplies each sample's.
    """
    result = validation.elementwise("slope of loss", loss.name, loss.slope, y_hat, y, *_row(loss, y_hat))
    if loss.reduction != "sum":
        result = result * (1 / count(loss, y_hat.shape[-2], y_hat.shape[-1]))
    return result if weight is None else result * weight[..., None]


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

"""The built-in activations, and how to name one."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from .records import Activation, Array
from .validation import known, of_table

#: Slope of `leaky_relu` below zero; Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
LEAK = 0.01


def _sigmoid(z: Array) -> Array:
    xp = z.__array_namespace__()
    return 1 / (1 + xp.exp(-z))


def _relu(z: Array) -> Array:
    return z.__array_namespace__().maximum(z, 0.0) + 0.0  # which makes 0 of −0; NaN stays, so that divergence is seen


def _relu_derivative(z: Array, a: Array) -> Array:
    return a.__array_namespace__().sign(a)


def _tanh(z: Array) -> Array:
    return z.__array_namespace__().tanh(z)


def _leaky_relu(z: Array) -> Array:
    return z.__array_namespace__().maximum(z, LEAK * z)


def _leaky_relu_derivative(z: Array, a: Array) -> Array:
    xp = z.__array_namespace__()
    return xp.maximum(xp.sign(z), LEAK)


def _ones(z: Array) -> Array:
    return z.__array_namespace__().ones_like(z)


#: The built-in activations by name. The derivative of relu and leaky_relu at 0 is the one from the left.
ACTIVATIONS = MappingProxyType(
    {
        act.name: act
        for act in (
            Activation("sigmoid", _sigmoid, lambda z, a: a * (1 - a), saturates=True),
            Activation("relu", _relu, _relu_derivative),
            Activation("tanh", _tanh, lambda z, a: 1 - a * a, saturates=True),
            Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative),
            Activation("none", lambda z: z, lambda z, a: _ones(z)),
        )
    }
)


def activation(act: str | Activation) -> Activation:
    """Return the activation called ``act``; an `Activation` is returned as it is.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and suggests the nearest.
    """
    if isinstance(act, Activation):
        return act
    return known("activation", "none" if act == "identity" else act, ACTIVATIONS)


def per_layer(
    act: str | Activation | Sequence[str | Activation], out_act: str | Activation | None, count: int
) -> tuple[str | Activation, ...]:
    """Spread ``act`` (one for all, or one per layer) over ``count`` layers; ``out_act`` replaces the last."""
    acts: tuple[Any, ...] = tuple(act) if isinstance(act, list | tuple) else (act,) * count
    if len(acts) != count:
        raise ValueError(f"act names {len(acts)} activations, but the network has {count} layers")
    if out_act is not None:
        acts = (*acts[:-1], out_act)
    # A built-in one is recorded by its name, so that records compare, print and save as text.
    chosen = [activation(a) for a in acts]
    return tuple(a.name if of_table(a, ACTIVATIONS) else a for a in chosen)

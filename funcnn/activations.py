"""The built-in activations, and how to name one."""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from .arguments import ArgumentValueError, flag, formulas, known, of_table
from .records import Activation, Array

#: Slope of `leaky_relu` below zero, Maas et al.'s.
LEAK = 0.01
#: Of `gelu`: 2 √(2/π), and the factor of z³.
GELU = 2 * math.sqrt(2 / math.pi), 0.044715
#: Beyond, silu and gelu are z or 0 to the last bit; infinity, which times 0 is no number, is cut to it.
FAR = 1e3


def _sigmoid(z: Array) -> Array:
    """1 / (1 + e^−z). Rumelhart, Hinton & Williams 1986, eq. 2."""
    xp = z.__array_namespace__()
    return 1 / (1 + xp.exp(-z))


def _relu(z: Array) -> Array:
    """max(z, 0). Nair & Hinton 2010."""
    return z.__array_namespace__().maximum(z, 0.0) + 0.0  # which makes 0 of −0; NaN stays, so that divergence is seen


def _relu_derivative(z: Array, a: Array) -> Array:
    return a.__array_namespace__().sign(a)


def _tanh(z: Array) -> Array:
    """tanh z. LeCun, Bottou, Orr & Müller 1998, sect. 4.4."""
    return z.__array_namespace__().tanh(z)


def _leaky_relu(z: Array) -> Array:
    """max(z, 0.01 z). Maas, Hannun & Ng 2013."""
    return z.__array_namespace__().maximum(z, LEAK * z)


def _leaky_relu_derivative(z: Array, a: Array) -> Array:
    xp = z.__array_namespace__()
    return xp.maximum(xp.sign(z), LEAK)


def _elu(z: Array) -> Array:
    """z where z > 0, else e^z − 1. Clevert, Unterthiner & Hochreiter 2016, with α = 1."""
    xp = z.__array_namespace__()
    return xp.maximum(z, 0.0) + xp.expm1(xp.minimum(z, 0.0))


def _elu_derivative(z: Array, a: Array) -> Array:
    return a.__array_namespace__().minimum(a, 0.0) + 1


def logistic(z: Array) -> Array:
    """Return 1 / (1 + e^−z) from e^−|z|, so that nothing overflows; `sigmoid` keeps the form that the lab ran."""
    xp = z.__array_namespace__()
    small = xp.exp(-xp.abs(z))
    return xp.where(z < 0, small, xp.ones_like(z)) / (1 + small)


def _gelu_gate(z: Array) -> Array:
    return logistic(GELU[0] * (z + GELU[1] * (z * z * z)))  # (1 + tanh u) / 2 is that of 2 u, and quicker


def _gelu(z: Array) -> Array:
    """z (1 + tanh(√(2/π) (z + 0.044715 z³))) / 2. Hendrycks & Gimpel 2016, sect. 2, the form with tanh."""
    return z.__array_namespace__().maximum(z, -FAR) * _gelu_gate(z)


def _gelu_derivative(z: Array, a: Array) -> Array:
    z = z.__array_namespace__().clip(z, -FAR, FAR)
    gate = _gelu_gate(z)
    return gate + z * (gate * (1 - gate)) * (GELU[0] * (1 + 3 * GELU[1] * (z * z)))


def _silu(z: Array) -> Array:
    """z / (1 + e^−z). Elfwing, Uchibe & Doya 2018; the swish of Ramachandran, Zoph & Le 2017 with β = 1."""
    return z.__array_namespace__().maximum(z, -FAR) * logistic(z)


def _silu_derivative(z: Array, a: Array) -> Array:
    gate = logistic(z)
    return gate + a.__array_namespace__().minimum(a, FAR) * (1 - gate)


def softplus(z: Array) -> Array:
    """log(1 + e^z). Dugas, Bengio, Bélisle, Nadeau & Garcia 2001."""
    xp = z.__array_namespace__()
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


def _softplus_derivative(z: Array, a: Array) -> Array:
    return -a.__array_namespace__().expm1(-a)


def _softsign(z: Array) -> Array:
    """z / (1 + |z|). Bergstra, Desjardins, Lamblin & Bengio 2009."""
    xp = z.__array_namespace__()
    z = xp.maximum(xp.minimum(z, 1e30), -1e30)  # at infinity it is 1, and inf / inf is no number
    return z / (1 + xp.abs(z))


def _softsign_derivative(z: Array, a: Array) -> Array:
    rest = 1 / (1 + z.__array_namespace__().abs(z))
    return rest * rest


def _sine(z: Array) -> Array:
    """sin z. Sitzmann et al. 2020 (SIREN), with ω₀ = 1."""
    return z.__array_namespace__().sin(z)


def _sine_derivative(z: Array, a: Array) -> Array:
    return z.__array_namespace__().cos(z)


def _hard_sigmoid(z: Array) -> Array:
    """min(max(z + 3, 0), 6) / 6, as PyTorch's; Keras's older one rises by 0.2. Howard et al. 2019 (MobileNetV3)."""
    xp = z.__array_namespace__()
    return xp.minimum(xp.maximum(z + 3, 0.0), 6.0) / 6


def _hard_sigmoid_derivative(z: Array, a: Array) -> Array:
    xp = z.__array_namespace__()
    return xp.where((z > -3) & (z <= 3), xp.ones_like(z), xp.zeros_like(z)) / 6


def _none(z: Array) -> Array:
    """z, the identity. Widrow & Hoff 1960."""
    return z


def _ones(z: Array, a: Array) -> Array:
    return z.__array_namespace__().ones_like(z)


#: What else some call them.
OTHER_NAMES = MappingProxyType({"identity": "none"})
#: The built-in activations by name. The derivative at a kink is the one from the left.
ACTIVATIONS = MappingProxyType(
    {
        act.name: act
        for act in (
            Activation("sigmoid", _sigmoid, lambda z, a: a * (1 - a), saturates=True),
            Activation("relu", _relu, _relu_derivative),
            Activation("tanh", _tanh, lambda z, a: 1 - a * a, saturates=True),
            Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative),
            Activation("elu", _elu, _elu_derivative),
            Activation("gelu", _gelu, _gelu_derivative),
            Activation("silu", _silu, _silu_derivative),
            Activation("softplus", softplus, _softplus_derivative),
            Activation("softsign", _softsign, _softsign_derivative, saturates=True),
            Activation("sine", _sine, _sine_derivative),
            Activation("hard_sigmoid", _hard_sigmoid, _hard_sigmoid_derivative, saturates=True),
            Activation("none", _none, _ones),
        )
    }
)


def activation(act: str | Activation) -> Activation:
    """Return the activation called ``act``; an `Activation` of one's own is returned as it is.

    Raises
    ------
    ValueError, TypeError
        If the name is unknown (the message lists the known ones and suggests the nearest), or a field of one's own is
        not what `Activation` says.
    """
    if not isinstance(act, Activation):
        return known("activation", OTHER_NAMES.get(act, act) if isinstance(act, str) else act, ACTIVATIONS)
    formulas("activation", act, "apply", "derivative")
    if not isinstance(act.saturates, bool):
        flag(f"saturates of activation {act.name!r}", act.saturates)
    return ACTIVATIONS[act.name] if of_table(act, ACTIVATIONS) else act


def canonical(act: str | Activation) -> str | Activation:
    """Return an activation as records hold it: by name where it is built in, so that they compare, print and save."""
    one = activation(act)
    return one.name if one is ACTIVATIONS.get(one.name) else one


def per_layer(
    act: str | Activation | Sequence[str | Activation], out_act: str | Activation | None, count: int
) -> tuple[str | Activation, ...]:
    """Spread ``act`` (one for all, or one per layer) over ``count`` layers; ``out_act`` replaces the last."""
    acts: tuple[Any, ...] = tuple(act) if isinstance(act, list | tuple) else (act,) * count
    if len(acts) != count:
        raise ArgumentValueError(f"act names {len(acts)} activations, but the network has {count} layers")
    return tuple(map(canonical, acts if out_act is None else (*acts[:-1], out_act)))

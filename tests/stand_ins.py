"""Losses and optimizers that the public examples name, until the tables have them and names are enough."""

import funcnn
from funcnn import Loss, Optimizer


def _xp(array):
    return array.__array_namespace__()


def _softplus(z):
    return _xp(z).maximum(z, 0.0) + _xp(z).log1p(_xp(z).exp(-abs(z)))


def _momentum(w, g, slots, t, lr, hyper):
    velocity = hyper[0] * slots[0] + g
    return w - lr * velocity, (velocity,)


def _nesterov(w, g, slots, t, lr, hyper):
    velocity = hyper[0] * slots[0] + g
    return w - lr * (hyper[0] * velocity + g), (velocity,)


_STAND_INS = (  # stand-ins
    Loss("mae", lambda p, y: abs(p - y), lambda p, y: (p > y) * 1.0 - (p < y) * 1.0, "mean"),
    Loss("hinge", lambda p, y: _xp(p).maximum(1 - y * p, 0.0), lambda p, y: -y * (y * p < 1), "mean"),
    Loss(
        "sigmoid_binary_cross_entropy",
        lambda z, y: _softplus(z) - z * y,
        lambda z, y: 1 / (1 + _xp(z).exp(-z)) - y,
        "mean",
    ),
    Loss(
        "softmax_cross_entropy",
        lambda z, y, row: (row - z) * y,
        lambda z, y, row: _xp(z).exp(z - row) - y,
        "mean_samples",
        "logsumexp",
    ),
    Optimizer("momentum", _momentum, 1, (0.9,)),
    Optimizer("nesterov", _nesterov, 1, (0.9,)),
)

#: By name, the tables' own where they are there.
NAMED = {record.name: record for record in _STAND_INS} | dict(funcnn.LOSSES) | dict(funcnn.OPTIMIZERS)

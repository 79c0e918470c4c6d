"""Optimizers and losses of one's own that several test modules train with: few, since each is compiled anew.

Some have the name of one of the tables, and are another record all the same.
"""

from funcnn import Loss, Optimizer

#: Polyak 1964: a slot, and a constant.
MOMENTUM = Optimizer("momentum", lambda w, g, s, t, lr, h: (w - lr * (h[0] * s[0] + g), (h[0] * s[0] + g,)), 1, (0.9,))


def _adam(w, g, s, t, lr, h):
    mean, square = h[0] * s[0] + (1 - h[0]) * g, h[1] * s[1] + (1 - h[1]) * (g * g)
    step = mean / (1 - h[0] ** t) / ((square / (1 - h[1] ** t)) ** 0.5 + h[2])
    return w - lr * step, (mean, square)


#: Kingma & Ba 2015: two slots, and the number of the update.
ADAM = Optimizer("adam", _adam, 2, (0.9, 0.99, 1e-8))
#: No weight moves before update h, and then all do: a run that does not move is not over where updates are counted.
LATE = Optimizer("late", lambda w, g, s, t, lr, h: (w - lr * g * (t > h[0]), s), 0, (50.0,))
#: The new slots are made of the old ones and of the old weights: nothing of these may be gone before it is read.
LOOKING_BACK = Optimizer(
    "looking_back", lambda w, g, s, t, lr, h: (w - lr * (g + s[0] / 2 + s[1] / 4) - lr * s[2] / 8, (g, s[0], w)), 3
)


def _softplus(z):
    xp = z.__array_namespace__()
    return xp.where(z > 0, z, 0 * z) + xp.log1p(xp.exp(-xp.abs(z)))


#: Cross-entropy of outputs that are logits: of a class each, and of one class among all.
SIGMOID_CROSS_ENTROPY = Loss(
    "sigmoid_cross_entropy",
    lambda z, y: _softplus(z) - z * y,
    lambda z, y: 1 / (1 + z.__array_namespace__().exp(-z)) - y,
    "mean_samples",
)
SOFTMAX_CROSS_ENTROPY = Loss(
    "softmax_cross_entropy",
    lambda z, y, row: (row - z) * y,
    lambda z, y, row: z.__array_namespace__().exp(z - row) - y,
    "mean_samples",
    "logsumexp",
)

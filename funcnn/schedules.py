"""Schedules: what the learning rate is multiplied by at each update.

Each is a plain function of the updates' numbers ``t``, an array of floats that is 1.0 at a run's first update, and of
numbers of its own. It returns an array of factors of ``t``'s shape and dtype.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from .arguments import ArgumentValueError, called, positive, shown, with_numbers
from .records import Array
from .validation import numbers, update_numbers

#: A schedule: from the updates' numbers (updates,) to factors (updates,).
Schedule = Callable[[Array], Array]


def constant(t: Array) -> Array:
    """η(t) = η.

    Parameters
    ----------
    t
        The updates' numbers, 1.0 at the first.

    Returns
    -------
    array
        Factors of the learning rate, as many.

    Raises
    ------
    TypeError
        If ``t`` holds other than real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> constant(np.array([1.0, 2.0, 3.0]))
    array([1., 1., 1.])
    """
    t = update_numbers(t)
    return t.__array_namespace__().ones_like(t)


def step(t: Array, every: float, factor: float = 0.1) -> Array:
    """η(t) = η · factor^⌊(t − 1)/every⌋; He et al. 2016, 4.2, at even distances: PyTorch's StepLR.

    Parameters
    ----------
    t
        The updates' numbers, 1.0 at the first.
    every
        Updates from one step to the next, positive.
    factor
        What each step multiplies the rate by, positive.

    Returns
    -------
    array
        Factors of the learning rate, as many.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> step(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), every=2, factor=0.5)
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """
    t, every, factor = update_numbers(t), positive("every", every), positive("factor", factor)
    return factor ** t.__array_namespace__().floor((t - 1) / every)


def exponential(t: Array, rate: float) -> Array:
    """η(t) = η · rate^(t − 1); Senior et al. 2013, exponential scheduling: PyTorch's ExponentialLR.

    Parameters
    ----------
    t
        The updates' numbers, 1.0 at the first.
    rate
        What each update multiplies the rate by, positive: 0.999.

    Returns
    -------
    array
        Factors of the learning rate, as many.

    Raises
    ------
    ValueError, TypeError
        If ``rate`` is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> exponential(np.array([1.0, 2.0, 3.0]), rate=0.5)
    array([1.  , 0.5 , 0.25])
    """
    return positive("rate", rate) ** (update_numbers(t) - 1)


def cosine(t: Array, horizon: float, floor: float = 0.0) -> Array:
    """η(t) = η · (floor + (1 − floor)(1 + cos(π (t − 1)/horizon))/2); Loshchilov & Hutter 2017, eq. 5.

    There are no restarts: beyond the horizon it stays at the floor.

    Parameters
    ----------
    t
        The updates' numbers, 1.0 at the first.
    horizon
        Updates until the floor is reached, positive.
    floor
        The least factor, 0 to 1.

    Returns
    -------
    array
        Factors of the learning rate, as many: 1 at the first update, ``floor`` from update horizon + 1 on.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> cosine(np.array([1.0, 6.0, 11.0, 12.0]), horizon=10)
    array([1. , 0.5, 0. , 0. ])
    """
    return _annealed(update_numbers(t) - 1, positive("horizon", horizon), _share("floor", floor))


def warmup_cosine(t: Array, warmup: float, horizon: float, floor: float = 0.0) -> Array:
    """η(t) = η · (t − 1)/warmup, then as cosine over what is left of horizon; Goyal et al. 2017, 2.2.

    As optax's warmup_cosine_decay_schedule from 0: the first update does not move the weights.

    Parameters
    ----------
    t
        The updates' numbers, 1.0 at the first.
    warmup
        Updates until the full rate is reached, positive.
    horizon
        Updates until the floor is reached, those of the warm-up among them; more than ``warmup``.
    floor
        The least factor after the warm-up, 0 to 1.

    Returns
    -------
    array
        Factors of the learning rate, as many: 1 at update warmup + 1, ``floor`` from update horizon + 1 on.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> warmup_cosine(np.array([1.0, 2.0, 3.0, 7.0, 11.0]), warmup=2, horizon=10)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    warmup, horizon, floor = positive("warmup", warmup), positive("horizon", horizon), _share("floor", floor)
    if horizon <= warmup:
        raise ArgumentValueError(
            f"horizon must be more than warmup, which it comprises, got {horizon:g} and {warmup:g}"
        )
    t = update_numbers(t)
    done = t - 1
    falling = _annealed(done - warmup, horizon - warmup, floor)
    return t.__array_namespace__().where(done < warmup, done / warmup, falling)


def _annealed(done: Array, horizon: float, floor: float) -> Array:
    """Return the factor after so many updates of a cosine's."""
    xp = done.__array_namespace__()
    share = xp.clip(done / horizon, 0.0, 1.0)
    return floor + (1 - floor) * (1 + xp.cos(math.pi * share)) / 2


def _share(name: str, value: float) -> float:
    number = positive(name, value, zero=True)
    if number > 1:
        raise ArgumentValueError(f"{name} must be a share of the learning rate, 0 to 1, got {shown(value)}")
    return number


#: The built-in schedules by name.
SCHEDULES: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {schedule.__name__: schedule for schedule in (constant, step, exponential, cosine, warmup_cosine)}
)


def schedule_named(schedule: str | Schedule) -> Schedule:
    """Return the schedule that a text ``NAME[:number,…]`` names; a function is returned as it is.

    Raises
    ------
    ValueError
        If the name is unknown (the message lists the known ones and suggests the nearest), or its numbers are too
        few, too many or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> schedule_named("cosine:10,0.1")(np.array([1.0, 6.0, 11.0]))
    array([1.  , 0.55, 0.1 ])
    """
    name = next((name for name, one in SCHEDULES.items() if one is schedule), schedule)
    return name if callable(name) else with_numbers("schedule", name, SCHEDULES, np.ones(1))


def factors_of(schedule: Schedule, t: Array) -> Array:
    """Return what a schedule gives for updates ``t``, (updates,): finite factors, none below 0.

    Raises
    ------
    ValueError, TypeError
        If one of the user's gives anything else.
    """
    factors = numbers("what the schedule gives", called("schedule", schedule, t)).astype(float)
    fit = np.isfinite(factors) & (factors >= 0)
    if factors.shape != t.shape or not fit.all():
        got = f"shape {factors.shape} for {len(t)} updates"
        if factors.shape == t.shape:
            got = f"{factors[~fit][0]} for update {t[~fit][0]:,.0f}"
        raise ArgumentValueError(f"schedule must give a finite factor for each update, none below 0, got {got}")
    return factors

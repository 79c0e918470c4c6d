"""What fits this machine's memory: what does not is refused beforehand, lest the system end the process in the midst.

Only what is sure to be needed counts, so that nothing is refused that would have gone well.
"""

import contextlib
import functools
import math
import os
from pathlib import Path

#: Where Linux says how much a group of processes may have, as in a container.
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: Bytes that an array takes beside its numbers, and a number in a tuple.
ARRAY, NUMBER = 112, 36


@functools.cache  # reading takes a good part of the shortest training
def there_is(limits: tuple[str, ...] = LIMITS) -> float:
    """Return the bytes of memory that this process may have; infinity where the system does not tell."""
    amounts = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        amounts.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in limits:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            amounts.append(int(Path(path).read_text()))
    return min(amount for amount in amounts if amount > 0)


def lacking(size: int) -> str | None:
    """Say that so many bytes are more than there is, or return None where they are not.

    Examples
    --------
    >>> lacking(10**24)[:46]
    'would take 1,000,000,000,000,000,000,000,000 b'
    >>> lacking(1)
    """
    have = there_is()
    return f"would take {size:,} bytes of memory, this machine has {have:,.0f}" if size > have else None


def check(what: str, size: int) -> None:
    """Refuse what would take so many bytes where there are fewer.

    Raises
    ------
    MemoryError
        Saying how many it would take, and how many there are.
    """
    if reason := lacking(size):
        raise MemoryError(f"{what} {reason}")

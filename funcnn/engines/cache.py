"""Compiled kernels on disk: numba's cache, kept from stopping anything.

What is wrong with a file of it costs a compilation and no more: a damaged one is compiled and written anew, and where
none can be written, the kernel serves this process alone.
"""

import contextlib
import functools
import hashlib
import logging
import pickle
import warnings
from collections.abc import Callable
from typing import Any

from numba.core.caching import FunctionCache, NullCache
from numba.core.serialize import dumps

from .contract import EngineWarning, said

LOG = logging.getLogger(__name__)


def cached(kernel: Any, function: Callable[..., Any], key: str) -> Any:
    """Keep a kernel on disk under ``key``, since numba does not see edits of what its function calls."""
    try:
        cache: Any = FunctionCache(function)  # type: ignore[no-untyped-call]
        cache._index_key = lambda signature, codegen: (signature, codegen.magic_tuple(), key)
        file, word = cache._cache_file, "compiling once"
        file.save, file.load = functools.partial(_sealed, file.save), functools.partial(_unsealed, file.load)
    except Exception as error:  # as where no folder can be written
        _warn("numba can keep nothing on disk: what it compiles serves this process alone", error)
        cache, word = NullCache(), "compiling"
    cache.load_overload = functools.partial(_loaded, cache, cache.load_overload, word)
    cache.save_overload = functools.partial(_saved, cache, cache.save_overload)
    kernel._cache = cache
    return kernel


def _sealed(save: Callable[[Any, Any], None], key: Any, data: Any) -> None:
    """Write machine code with its digest: what is damaged in the middle would not fail, but end the process."""
    content = dumps(data)  # type: ignore[no-untyped-call]
    save(key, (hashlib.sha256(content).digest(), content))


def _unsealed(load: Callable[[Any], Any], key: Any) -> Any:
    entry = load(key)
    if entry is None:
        return None
    seal, content = entry
    if hashlib.sha256(content).digest() != seal:
        raise ValueError("a file is damaged")
    return pickle.loads(content)


def _loaded(cache: Any, load: Callable[..., Any], word: str, *given: Any) -> Any:
    """Load machine code, or return None: it is compiled then, for seconds."""
    found = None
    try:
        found = load(*given)
    except Exception as error:  # an empty, truncated or foreign file raises nearly anything
        _warn(f"numba's cache in {cache.cache_path} cannot be read: what it held is compiled anew", error)
        with contextlib.suppress(Exception):
            cache.flush()  # the index, which numba reads also before it writes it
    if found is None:
        LOG.info(word)
    return found


def _saved(cache: Any, save: Callable[..., None], *given: Any) -> None:
    try:
        save(*given)
    except Exception as error:  # the disk is full, a quota exceeded, the folder gone, …
        _warn(
            f"numba's cache in {cache.cache_path} cannot be written: what is compiled serves this process alone", error
        )


def _warn(what: str, error: Exception) -> None:
    warnings.warn(f"{what} ({said(error)})", EngineWarning, stacklevel=2)

"""What the test modules share."""

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run, and no time limit per example: the first one that needs a kernel compiles it.
settings.register_profile("funcnn", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("funcnn")


def _bits(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        array = np.array(value)
        if array.dtype.kind == "f":
            array[np.isnan(array)] = np.nan  # NaN has many bit patterns, and none of them means anything
        return array.dtype.str, array.shape, array.tobytes()
    if attrs.has(type(value)):
        return type(value), [_bits(getattr(value, field.name)) for field in attrs.fields(type(value))]
    if isinstance(value, tuple | list):
        return [_bits(one) for one in value]
    return value


@pytest.fixture(scope="session")
def bits():
    """Turn records and arrays into what compares equal only where dtype, shape and every bit are equal."""
    return _bits


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-goldens",
        action="store_true",
        help="write tests/golden/ anew; review the difference before committing",
    )


@pytest.fixture
def rewrite_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite-goldens"))

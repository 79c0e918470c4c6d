"""Records compared as JAX sees them."""

import jax
import numpy as np

import funcnn.jax  # noqa: F401, which makes pytrees of the records


def assert_near(theirs, ours, rtol=1e-12, atol=1e-14):
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(other, one, rtol=rtol, atol=atol)

"""The records under JAX: importing this makes pytrees of them.

Arrays of `Layer`, `Params`, `State`, `Trace`, `History` and `Dataset` are what JAX traces, differentiates and maps
over; names and activations are static. `Plan` and the entries of the tables are static whole, so that they may be
arguments of what is compiled: ``jax.jit(funcnn.step)``.

>>> import jax, funcnn, funcnn.jax
>>> params = funcnn.init((2, 3, 1), seed=range(2))
>>> jax.tree.map(lambda w: w.shape, params).layers[0]
Layer(w=(2, 2, 3), b=None, act='sigmoid')
>>> jax.jit(funcnn.forward)(params, funcnn.xor().x).shape
(2, 21, 1)
"""

from types import MappingProxyType

from . import records

try:
    import jax
except ImportError as error:
    raise ImportError(f"funcnn.jax needs JAX: pip install 'funcnn[jax]' ({error})") from error

#: The fields of each record that JAX looks into, and those that are static.
PYTREES = MappingProxyType(
    {
        records.Layer: (("w", "b"), ("act",)),
        records.Params: (("layers",), ()),
        records.Dataset: (("x", "y"), ("name", "features", "classes")),
        records.Trace: (("z", "a", "delta", "grads", "value"), ()),
        records.State: (("params", "slots", "t", "epoch", "running"), ("rule",)),
        records.History: (
            (
                "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "logged", "grad_norm", "snapshots", "state",
                "best",
            ),
            ("engine",),
        ),
    }
)  # fmt: skip
#: Records that are static whole.
STATIC = (records.Plan, records.Loss, records.Optimizer, records.Activation, records.Decision)

for _record, (_traced, _static) in PYTREES.items():
    jax.tree_util.register_dataclass(_record, _traced, _static)
for _record in STATIC:
    jax.tree_util.register_static(_record)

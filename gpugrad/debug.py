"""Looking at what happened: public counters, and the checks of `gg.config.debug = 1`."""

from __future__ import annotations

from typing import Any

from .backends.cuda import launch
from .base import errors
from .base.counters import Counters, counters
from .codegen import cpp
from .core.closing import close
from .core.nodes import Part, Region

__all__ = ["Counters", "counters", "kernel_source", "plan_source"]


def plan_source(tensor: Any) -> tuple[str, str]:
    """The text of the plan that made a tensor, and of the one that runs backward from it, as array calls.

    Computes the tensor if it is pending. Raises GraphError for one that was not made by a region that requires grad.

    >>> import gpugrad as gg
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> forward, backward = gg.debug.plan_source(gg.sin(x) * x)
    >>> print(forward)
    def plan(i0, o0, t0):
        sin(i0, out=t0)
        multiply(t0, i0, out=o0)
    <BLANKLINE>
    """
    node = _region(tensor)
    source = node.device.backend.source
    return source(node.plan.forward), source(node.default_backward().program)


def kernel_source(tensor: Any, dialect: str | None = None) -> tuple[str, str]:
    """The text of the kernel that makes a tensor, and of the one that runs backward from it, as they are compiled.

    dialect: "c" for the CPU, "cuda" for a GPU; that of the tensor's device if not given. Several CUDA kernels follow one
    another. What they take from ``kernels/`` is left out. Computes the tensor if it is pending.

    Raises GraphError for a tensor that was not made by a region that requires grad, InputError for another dialect.

    >>> import gpugrad as gg
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> forward, backward = gg.debug.kernel_source(gg.sin(x) * x, "c")
    >>> print(forward.split("static const")[0])
    static void body(const char* const* in, const gg_scalar* s, char* const* out, int64 n) {
        const float64* i0 = (const float64*)in[0];
        float64* o0 = (float64*)out[0];
        GG_EACH(j, n) {
            const float64 x0 = i0[j];
            const float64 t0 = gg_sin(x0);
            const float64 t1 = t0 * x0;
            o0[j] = t1;
        }
    }
    <BLANKLINE>
    <BLANKLINE>
    >>> "gg_sin(x0)" in gg.debug.kernel_source(gg.sin(x) * x, "cuda")[0]
    True
    """
    node = _region(tensor)
    dialect = node.device.backend.dialect if dialect is None else dialect
    if dialect not in ("c", "cuda"):
        raise errors.bad_value("kernel_source", f"dialect must be 'c' or 'cuda', not {dialect!r}.")
    texts = [cpp.kernel(k[0]) if dialect == "c" else launch.text(*k) for k in node.kernels()]
    return texts[0], texts[1]


def _region(tensor: Any) -> Any:
    value = tensor._value
    close(value)
    node = value.node.region if isinstance(value.node, Part) else value.node
    if not isinstance(node, Region):
        raise errors.GraphError(
            "this tensor was not made by a region that requires grad, so no plan is kept with it. Ask a computed tensor, "
            "not a leaf, a reshape or a matrix product."
        )
    return node

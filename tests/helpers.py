"""What several test files share: sampling an op's domain, finite differences, running at two fusion levels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import gpugrad as gg
from gpugrad.ops import TABLE, Op
from gpugrad.tensor import apply

OPS = sorted(TABLE.values(), key=lambda o: o.name)
SMOOTH = [o for o in OPS if o.differentiable]
FLOAT_OPS = [o for o in OPS if not any(w in o.name for w in ("bitwise", "invert", "shift"))]


def shared(given: Any) -> gg.Tensor:
    """An array as a tensor of the default device that lies in memory as the array does: shared, or as one on a GPU."""
    a, device = np.asarray(given), gg.zeros(()).device
    if device == "cpu" or not a.size:
        return gg.asarray(a) if device == "cpu" else gg.tensor(a)
    low, high = np.lib.array_utils.byte_bounds(a)
    memory = np.frombuffer((ctypes.c_char * (high - low)).from_address(low), np.uint8)
    data = gg.tensor(memory).cupy().data + (a.ctypes.data - low)
    import cupy

    return gg.asarray(cupy.ndarray(a.shape, a.dtype, memptr=data, strides=a.strides))


def call(op: Op, *args: Any) -> gg.Tensor:
    return apply(op, args)


def sample(op: Op, rng: np.random.Generator, shape: Any = (7,), dtype: Any = np.float64) -> list[np.ndarray]:
    """Arguments from the op's domain; conditions and integer operands where it takes those."""
    if op not in FLOAT_OPS:
        return [rng.integers(0, 7, shape) for _ in range(op.arity)]
    args = [rng.uniform(low, high, shape).astype(dtype) for low, high in op.domains]
    if op.name == "where":
        args[0] = args[0] > 0
    return args


def differentiable(op: Op) -> list[int]:
    """The operands that a gradient goes to."""
    return [n for n in range(op.arity) if not (op.name == "where" and n == 0)]


def gradients(
    f: Callable[..., gg.Tensor], args: Sequence[np.ndarray], upstream: np.ndarray | None = None
) -> list[np.ndarray]:
    """The gradients of sum(f * upstream) in all floating-point arguments."""
    xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
    y = f(*xs)
    y.backward(gg.ones_like(y) if upstream is None else upstream)
    return [x.grad.numpy() for x in xs if x.requires_grad]


def central(f: Callable[..., np.ndarray], args: Sequence[np.ndarray], n: int, h: float = 1e-5) -> np.ndarray:
    """The central difference of an elementwise function in argument n."""
    up, down = list(args), list(args)
    up[n], down[n] = args[n] + h, args[n] - h
    return (f(*up) - f(*down)) / (2 * h)


def at_both_fusion_levels(run: Callable[[], Any], strict: bool = True) -> tuple[Any, Any]:
    """The results at fuse=1 and at the default; the fused run must have closed fewer regions than it called ops.

    strict=False: for random programs, of which some read every result at once.
    """
    before = gg.config.fuse
    try:
        gg.config.fuse = 1
        eager = run()
        gg.config.fuse = 64
        gg.debug.counters.reset()
        fused = run()
        counters = gg.debug.counters
        assert not strict or counters.ops < 2 or counters.forward < counters.ops, counters
    finally:
        gg.config.fuse = before
    return eager, fused


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit; a NaN is a NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind == "f":
        nan = np.isnan(a) & np.isnan(b)
        return bool(np.all(nan | ((a == b) & (np.signbit(a) == np.signbit(b)))))
    return bool(np.array_equal(a, b))

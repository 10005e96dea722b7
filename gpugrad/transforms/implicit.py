"""Functions that are given by an equation: roots and fixed points, differentiated by the implicit function theorem.

The solver may be anything, SciPy's included: what it does is not recorded. Where f(params, x) = 0, the derivatives are those of the equation:
dx = -(df/dx)^-1 (df/dparams) dparams, with the Jacobian df/dx as a dense matrix. They hold at every order and in both modes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import as_tensor
from ..base import errors
from ..base.modes import no_grad
from ..base.shapes import is_float
from ..coerce import device_among, on_host
from ..functions.shaping import reshape
from ..linalg import solve
from ..tensor import Tensor
from .calls import watched
from .custom import custom_jvp
from .derivatives import jacobian, jvp
from .trees import as_plain, is_plain, tree_leaves, tree_map, tree_rebuilt

STEPS = 1000


def _tolerance(x: Any, tol: float | None) -> float:
    return float(np.finfo(x.dtype).eps) ** 0.75 if tol is None else tol


def _newton(residual: Callable[[Tensor], Tensor], x: Tensor, tol: float | None, steps: int) -> Tensor:
    """Newton's method with halved steps where the residual would grow."""
    bound = _tolerance(x, tol)
    for _ in range(steps):
        r = residual(x)
        size = float(abs(r).max().item()) if r.size else 0.0
        if not np.isfinite(size):
            break
        step = _step(residual, x, r)
        share = 1.0
        while share > 1e-4 and not float(abs(residual(x - share * step)).max().item()) <= size:
            share /= 2
        x = x - share * step
        if float(abs(step).max().item() if x.size else 0.0) <= bound * (
            1 + float(abs(x).max().item() if x.size else 0.0)
        ):
            return x
    raise errors.ConvergenceError(
        f"implicit_root: Newton's method has not converged in {steps} steps from where it began; the residual is {size:.3g}. Begin nearer "
        f"to the root, or pass a solver, such as solver=lambda r, x0: scipy.optimize.root(r, x0).x."
    )


def _step(residual: Callable[[Tensor], Tensor], x: Tensor, r: Tensor) -> Tensor:
    """The step of Newton's method."""
    matrix = reshape(jacobian(residual)(x), (x.size, x.size))
    try:
        return reshape(solve(matrix, reshape(r, (x.size,))), x.shape)
    except np.linalg.LinAlgError:
        raise errors.ConvergenceError(
            "implicit_root: the Jacobian df/dx is singular on the way to the root, so Newton's method cannot go on. Begin elsewhere (x0), or pass "
            "a solver, such as solver=lambda r, x0: scipy.optimize.root(r, x0).x."
        ) from None


def _iteration(step: Callable[[Tensor], Tensor], z: Tensor, tol: float | None, steps: int) -> Tensor:
    bound = _tolerance(z, tol)
    change = np.inf
    for _ in range(steps):
        new = step(z)
        change = float(abs(new - z).max().item()) if z.size else 0.0
        z = new
        if change <= bound * (1 + (float(abs(z).max().item()) if z.size else 0.0)):
            return z
        if not np.isfinite(change):
            break
    raise errors.ConvergenceError(
        f"fixed_point: f has not come to rest in {steps} steps; the last one moved z by {change:.3g}. It must be a contraction: damp it, "
        f"z + a * (f(params, z) - z), begin nearer, or find the point with gg.implicit_root of f(params, z) - z."
    )


def _implicit(
    name: str,
    equation: Callable[[Any, Tensor], Tensor],
    params: Any,
    x0: Any,
    find: Callable[[Callable[[Tensor], Tensor], Tensor], Any],
) -> Any:
    """The x that `find` gives, as a function of params, with the derivatives of equation(params, x) = 0."""
    plain = is_plain(params) and is_plain(x0)
    leaves = tree_leaves(params)
    device = device_among([*leaves, x0])
    moving = [n for n, a in enumerate(leaves) if isinstance(a, Tensor) and is_float(a.dtype)]
    start = as_tensor(x0, device).detach()
    if type(x0) in (int, float) and moving:  # a Python number has no dtype of its own
        start = start.astype(np.result_type(*(leaves[n].dtype for n in moving)))
    start = start if is_float(start.dtype) else start.astype(np.float64)

    def with_params(given: tuple[Tensor, ...]) -> Any:
        values = dict(zip(moving, given, strict=True))
        return tree_rebuilt(params, iter([values.get(n, a) for n, a in enumerate(leaves)]))

    def at(given: tuple[Tensor, ...], x: Tensor) -> Tensor:
        r = equation(with_params(given), x)
        if not isinstance(r, Tensor) or r.shape != x.shape:
            raise errors.bad_shape(
                name,
                f"the equation must give a tensor of the shape of x, {x.shape}, not {getattr(r, 'shape', type(r).__name__)}.",
            )
        return r

    def solve_it(*given: Tensor) -> Tensor:
        with no_grad():
            fixed = tuple(t.detach() for t in given)
            found = find(lambda x: at(fixed, x), start)
        found = as_tensor(found, device)
        return found if found.dtype == start.dtype else found.astype(start.dtype)

    solve_it.__name__ = name
    solution = custom_jvp(solve_it)

    @solution.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        x = solution(*primals)
        moved = [t if isinstance(t, Tensor) else p * 0 for p, t in zip(primals, tangents, strict=True)]
        _, along = jvp(lambda *given: at(given, x), list(primals), moved)
        matrix = reshape(jacobian(lambda y: at(primals, y))(x), (x.size, x.size))
        return x, -reshape(solve(matrix, reshape(along, (x.size,))), x.shape)

    watched(name, "params", lambda: at(tuple(leaves[n].detach() for n in moving), start))
    found = solution(*(leaves[n] for n in moving)) if moving else solution()
    return tree_map(lambda t: as_plain(t, False), found) if plain else found


def implicit_root(
    f: Callable[[Any, Tensor], Tensor], params: Any, x0: Any, solver: Callable[..., Any] | None = None, *, tol: float | None = None,
    max_steps: int = 100,
) -> Any:  # fmt: skip
    """The x with f(params, x) = 0, as a function of params, with gradients by the implicit function theorem.

    f: a function of params and a tensor x that gives a tensor of x's shape. params: a tensor, or tensors in nested lists, tuples and
    dictionaries: what gradients go to. Everything else that requires grad must be among them. x0: where to begin; it has no gradient.
    solver: a function (residual, x0) -> x of NumPy arrays, such as ``lambda r, x0: scipy.optimize.root(r, x0, tol=1e-12).x``; Newton's method,
    with up to max_steps steps, if not given. The gradient is as exact as the root. tol: relative to x, the step at which Newton's method stops.

    Gradient: -(df/dx)^-1 (df/dparams), of every order and in both modes; the Jacobian df/dx is a dense matrix, and must not be singular.
    Raises ConvergenceError where Newton's method finds no root, LinAlgError for a singular Jacobian.

    >>> import gpugrad as gg
    >>> root = lambda a: gg.implicit_root(lambda a, x: x * x - a, a, 1.0)
    >>> round(float(root(2.0)), 6), round(float(gg.grad(root)(2.0)), 6)  # the square root, and its derivative
    (1.414214, 0.353553)
    """

    def find(residual: Callable[[Tensor], Tensor], start: Tensor) -> Any:
        if solver is None:
            return _newton(residual, start, tol, max_steps)
        found = solver(lambda x: on_host(residual(as_tensor(np.asarray(x, start.dtype).reshape(start.shape), start.device))).reshape(np.shape(x)),
                       np.array(on_host(start)))  # fmt: skip
        found = np.asarray(on_host(found) if isinstance(found, Tensor) else found, start.dtype)
        if found.size != start.size:
            raise errors.bad_shape(
                "implicit_root", f"the solver gave an array of shape {found.shape} for an x of shape {start.shape}."
            )
        x = as_tensor(found.reshape(start.shape), start.device)
        left, began = (float(abs(residual(t)).max().item()) if t.size else 0.0 for t in (x, start))
        if not left <= max(
            1e-3 * began, float(np.finfo(start.dtype).eps) ** 0.5 * (1 + float(np.abs(found).max(initial=0)))
        ):
            raise errors.ConvergenceError(
                f"implicit_root: what the solver gave is no root: the residual there is {left:.3g}, and was {began:.3g} at x0. A gradient of it "
                f"would be wrong. See why the solver stopped, or begin nearer to the root."
            )
        return x

    return _implicit("implicit_root", f, params, x0, find)


def fixed_point(
    f: Callable[[Any, Tensor], Tensor], params: Any, z0: Any, *, tol: float | None = None, max_steps: int = STEPS
) -> Any:
    """The z with f(params, z) = z, found by applying f again and again, as a function of params.

    What led there is neither recorded nor stored: the gradient is that of the equation z - f(params, z) = 0, by `implicit_root`, whose other
    arguments these are. tol: relative to z, the change at which the iteration stops.

    Raises ConvergenceError where the iteration does not come to rest.

    >>> import gpugrad as gg
    >>> point = lambda a: gg.fixed_point(lambda a, z: gg.cos(a * z), a, 0.5)
    >>> round(float(point(1.0)), 6), round(float(gg.grad(point)(1.0)), 6)
    (0.739085, -0.297474)
    """

    def equation(params: Any, z: Tensor) -> Tensor:
        found = f(params, z)
        if not isinstance(found, Tensor) or found.shape != z.shape:
            raise errors.bad_shape(
                "fixed_point",
                f"f must give a tensor of the shape of z, {z.shape}, not {getattr(found, 'shape', type(found).__name__)}.",
            )
        return z - found

    return _implicit(
        "fixed_point",
        equation,
        params,
        z0,
        lambda residual, z: _iteration(lambda y: y - residual(y), z, tol, max_steps),
    )

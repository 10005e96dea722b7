"""Ordinary differential equations: SciPy's solvers, with derivatives in the initial state, the parameters and the times.

SciPy steps through the equations on NumPy arrays; nothing of that is recorded. Derivatives are those of the solution: the sensitivities
S = dy/d(y0, parameters) obey dS/dt = (df/dy) S + df/d(parameters), and are solved for together with y, forward in time and under the same
tolerances. They are themselves a solution of an equation, which gives derivatives of higher order by the same rule; both modes are a product
with S. (E. Hairer, S. P. Norsett, G. Wanner, "Solving Ordinary Differential Equations I", 1993, section I.14.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensor
from ..backends.devices import device
from ..base import errors
from ..base.modes import enable_grad, grad_mode, no_grad
from ..coerce import device_among, host_data, on_host
from ..functions import concatenate, ravel, reshape, stack, zeros
from ..tensor import Tensor
from ..transforms.calls import watched
from ..transforms.custom import custom_jvp
from ..transforms.derivatives import jacobian
from ..transforms.trees import tree_leaves, tree_map, tree_rebuilt

Rate = Callable[[Any, Any, Any], Any]  # of state, time and parameters in one vector
# Of f(y, t), y0, times, and how many sensitivities each element has, of each order: the states.
Solver = Callable[[Callable[[Any, Any], Any], Any, Any, tuple[int, ...]], Any]


class _Equation:
    """dy/dt = f(y, t, *args), whose args are one vector of what moves in them and the rest as it is.

    name: of the function that the user has called.
    """

    def __init__(self, name: str, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.name = name
        self.f = f
        self.args = args
        self.leaves = tree_leaves(args)
        self.moving = [n for n, a in enumerate(self.leaves) if isinstance(a, Tensor) and a.requires_grad]
        self.plain = [on_host(a)[()] if isinstance(a, Tensor) else a for a in self.leaves]

    def packed(self) -> list[Tensor]:
        return [ravel(self.leaves[n]).astype(np.float64) for n in self.moving]

    def rate(self, y: Any, t: Any, theta: Any) -> Any:
        """f with parameters from the vector: tensors if that is one, plain arrays otherwise."""
        leaves = list(self.plain)
        start = 0
        for n in self.moving:
            shape = self.leaves[n].shape
            size = self.leaves[n].size
            part = theta[start : start + size]
            leaves[n] = reshape(part, shape) if isinstance(part, Tensor) else part.reshape(shape)[()]
            start += size
        found = self.f(y, t, *tree_rebuilt(self.args, iter(leaves)))
        if isinstance(found, (list, tuple)):
            found = _stacked(found)
        if np.size(found) != np.size(y):
            raise errors.bad_shape(
                self.name,
                f"the function gave {np.size(found)} rates for a state of {np.size(y)} elements: it must give one for each.",
            )
        return np.reshape(found, np.shape(y))


def _stacked(data: Sequence[Any]) -> Any:
    """A list of numbers and tensors as a tensor, of numbers alone as an array."""
    if not any(isinstance(a, Tensor) for a in data):
        return np.asarray(data)
    return stack([reshape(a, ()) if isinstance(a, Tensor) else a for a in data])


def _stepped(name: str, rate: Rate, y: Any, t: Any, theta: Any) -> Any:
    """The rate as SciPy's steps take it: an array."""
    return host_data(watched(name, "args", lambda: rate(y, t, theta)))


def _augmented(rate: Rate, n: int, columns: int, theta_from: int) -> Rate:
    """The equation of a state and its sensitivities. theta_from: the first of their columns that is one of the parameters'."""

    def dependent(y: Any, t: Any, theta: Any) -> Any:
        return rate(y, t, theta) + 0 * y  # a rate that is the same for every state has a derivative, too

    if columns == theta_from:
        of_state = jacobian(dependent)
    else:
        of_both = jacobian(dependent, argnums=(0, 2))

    def both(z: Any, t: Any, theta: Any) -> Any:
        y, s = z[:n], z[n:].reshape(n, columns)
        if columns == theta_from:
            moved = of_state(y, t, theta) @ s
        else:
            in_y, in_theta = of_both(y, t, theta)
            moved = in_y @ s + np.concatenate([np.zeros((n, theta_from)), in_theta], axis=1)
        return np.concatenate([rate(y, t, theta), moved.reshape(-1)])

    return both


def _solved(
    name: str, rate: Rate, solver: Solver, y0: Tensor, times: Tensor, theta: Tensor, begins: bool, sensitivities: tuple[int, ...] = ()
) -> Tensor:  # fmt: skip
    """The states at times, shape (times, elements), as a function of the initial state, the times and the parameters.

    begins: the initial state is that at the first of the times, which may move.
    """

    checked = grad_mode.enabled and not sensitivities

    def run(y0: Tensor, times: Tensor, theta: Tensor) -> Tensor:
        fixed = on_host(theta)
        # Recorded, so that a tensor that is not among the args is noticed. On the CPU, where SciPy is.
        with enable_grad() if checked else no_grad(), device("cpu"):
            found = solver(lambda y, t: _stepped(name, rate, y, t, fixed), on_host(y0), on_host(times), sensitivities)
        return as_tensor(np.asarray(found, np.float64), y0.device)

    run.__name__ = name
    solution = custom_jvp(run)

    @solution.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        y0, times, theta = primals
        dy0, dtimes, dtheta = (d if isinstance(d, Tensor) else None for d in tangents)
        n, of_state = y0.size, y0.size if dy0 is not None or (begins and dtimes is not None) else 0
        columns = of_state + (theta.size if dtheta is not None else 0)
        start = np.zeros((n, columns))
        start[:, :of_state] = np.eye(n, of_state)
        z0 = concatenate([y0, as_tensor(start.reshape(-1), y0.device)])
        both = _augmented(rate, n, columns, of_state)
        z = _solved(name, both, solver, z0, times, theta, begins, (*sensitivities, columns))
        y, s = z[:, :n], reshape(z[:, n:], (times.size, n, columns))
        moved = zeros(y.shape, device=y.device)
        if dy0 is not None:
            moved = moved + s[:, :, :of_state] @ dy0
        if dtheta is not None:
            moved = moved + s[:, :, of_state:] @ dtheta
        if dtimes is not None:
            speeds = stack([as_tensor(rate(y[i], times[i], theta), y.device) for i in range(times.size)])
            moved = moved + speeds * reshape(dtimes, (-1, 1))
            if begins:
                moved = moved - s[:, :, :of_state] @ (speeds[0] * dtimes[0])
        return y, moved

    return solution(y0, times, theta)


def _parts(y0: Any, times: Any, equation: _Equation) -> tuple[Tensor, Tensor, Tensor]:
    """The initial state, times and parameters as vectors on one device."""
    on = device_among([y0, times, *equation.leaves])
    start, at = (as_tensor(_stacked(a) if isinstance(a, (list, tuple)) else a, on) for a in (y0, times))
    start, at = (t if t.dtype == np.float64 else t.astype(np.float64) for t in (start, at))
    if start.ndim > 1 or at.ndim != 1 or not at.size:
        raise errors.bad_shape(
            equation.name, f"needs an initial state and times of one axis, not of shapes {start.shape} and {at.shape}."
        )
    packed = equation.packed()
    theta = concatenate(packed) if packed else zeros(0, np.float64, on)
    return reshape(start, (-1,)), at, theta


def _wide(tolerance: Any, sensitivities: tuple[int, ...]) -> Any:
    """A tolerance of each element of a state, for that and its sensitivities."""
    if np.ndim(tolerance):
        for columns in sensitivities:
            tolerance = np.concatenate([tolerance, np.repeat(tolerance, columns)])
    return tolerance


def odeint(
    func: Callable[..., Any], y0: Any, t: Any, args: tuple[Any, ...] = (), Dfun: Any = None, col_deriv: bool = False,
    full_output: bool = False, ml: Any = None, mu: Any = None, rtol: Any = None, atol: Any = None, tcrit: Any = None, h0: float = 0.0,
    hmax: float = 0.0, hmin: float = 0.0, ixpr: bool = False, mxstep: int = 0, mxhnil: int = 0, mxordn: int = 12, mxords: int = 5,
    printmessg: bool = False, tfirst: bool = False,
) -> Any:  # fmt: skip
    """The solution of dy/dt = func(y, t, *args) at times t, by LSODA: an array of shape (times, elements of y), float64.

    y0: the state at t[0], a number or a vector. func: of a state, a time and args (time first with `tfirst`); it is given NumPy arrays where
    SciPy steps, tensors where it is differentiated, and is written with NumPy's functions. Everything that requires grad and is used in it is
    passed by args, nested if you like. The other arguments are SciPy's.

    Gradients: to y0, t and args, by the sensitivities of the solution, which are as exact as the tolerances; each parameter adds an equation
    for each element of the state. All orders, both modes.
    Raises ConvergenceError where the solver stops early, GraphError for a tensor that requires grad and is not passed by args.

    >>> import numpy as np, gpugrad as gg
    >>> from gpugrad.scipy.integrate import odeint
    >>> end = lambda k: odeint(lambda y, t, k: -k * y, 1.0, [0.0, 2.0], (k,), rtol=1e-10, atol=1e-10)[-1, 0]
    >>> round(float(gg.grad(end)(0.5)), 6), round(-2 * np.exp(-1.0), 6)
    (-0.735759, np.float64(-0.735759))
    """
    from scipy.integrate import odeint as theirs

    f = (lambda y, t, *args: func(t, y, *args)) if tfirst else func
    equation = _Equation("odeint", f, tuple(args) if isinstance(args, (tuple, list)) else (args,))
    start, times, theta = _parts(y0, t, equation)
    said: dict[str, Any] = {}
    options = {"tcrit": tcrit, "h0": h0, "hmax": hmax, "hmin": hmin, "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn,
               "mxords": mxords, "printmessg": printmessg}  # fmt: skip

    def solver(rate: Any, y: Any, at: Any, sensitivities: tuple[int, ...]) -> Any:
        given = dict(options)
        if not sensitivities:
            given |= {"ml": ml, "mu": mu, "Dfun": _plain_jacobian(Dfun, equation, tfirst), "col_deriv": col_deriv}
        tolerances = {k: _wide(v, sensitivities) for k, v in (("rtol", rtol), ("atol", atol))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is raised here
            found, info = theirs(rate, y, at, full_output=True, **tolerances, **given)
        if "successful" not in info["message"]:
            raise errors.ConvergenceError(
                f"odeint: the solver stopped early: {info['message']}. Allow more steps (mxstep=), looser tolerances, or a shorter time."
            )
        if not sensitivities:
            said.update(info)
        return found

    y = _solved("odeint", equation.rate, solver, start, times, theta, True)
    return (y, said) if full_output else y


def _plain_jacobian(given: Any, equation: _Equation, tfirst: bool) -> Any:
    if given is None:
        return None
    args = tree_rebuilt(equation.args, iter(equation.plain))
    return lambda y, t: given(t, y, *args) if tfirst else given(y, t, *args)


def solve_ivp(
    fun: Callable[..., Any], t_span: Sequence[Any], y0: Any, method: Any = "RK45", t_eval: Any = None, dense_output: bool = False,
    events: Any = None, vectorized: bool = False, args: tuple[Any, ...] | None = None, **options: Any,
) -> Any:  # fmt: skip
    """The solution of dy/dt = fun(t, y, *args) from t_span[0] to t_span[1]: SciPy's result, of which y, shape (elements, times), is a tensor.

    t_eval: the times of y, which may require grad; those at which the solver stepped if not given, which then are constants. method and
    options: SciPy's. fun and args are as those of `odeint`, but for the order of time and state.

    Gradients: to y0, args and t_eval, as at `odeint`.
    Raises ConvergenceError where the solver stops early, InputError for `events` and `dense_output` where gradients are asked for.

    >>> import numpy as np, gpugrad as gg
    >>> from gpugrad.scipy.integrate import solve_ivp
    >>> end = lambda k: solve_ivp(lambda t, y, k: -k * y, (0.0, 2.0), [1.0], args=(k,), rtol=1e-10, atol=1e-10).y[0, -1]
    >>> round(float(gg.grad(end)(0.5)), 6), round(-2 * np.exp(-1.0), 6)
    (-0.735759, np.float64(-0.735759))
    """
    from scipy.integrate import solve_ivp as theirs

    equation = _Equation("solve_ivp", lambda y, t, *rest: fun(t, y, *rest), tuple(args or ()))
    if any(isinstance(t, Tensor) and t.requires_grad for t in t_span):
        raise errors.gradient_lost(
            "a bound of solve_ivp's t_span", "t.detach(), and pass the times that move by t_eval"
        )
    span = tuple(float(t.item() if isinstance(t, Tensor) else t) for t in t_span)
    start, _, theta = _parts(y0, [span[0]], equation)
    tracked = any(isinstance(a, Tensor) and a.requires_grad for a in (start, theta, *tree_leaves(t_eval)))
    if tracked and (events is not None or dense_output):
        raise errors.bad_value(
            "solve_ivp",
            "events and dense_output have no derivatives: pass tensors that require no grad, or the times of interest by t_eval.",
        )
    fixed = on_host(theta)

    def solver(rate: Any, y: Any, at: Any, sensitivities: tuple[int, ...]) -> Any:
        if not sensitivities:
            return result.y.T
        own = {
            k: _wide(v, sensitivities) if k in ("rtol", "atol") else v
            for k, v in options.items()
            if k not in ("jac", "jac_sparsity")
        }
        found = theirs(lambda t, y: rate(y, t), span, y, method, at, **own)
        if not found.success:
            raise errors.ConvergenceError(
                f"solve_ivp: the solver stopped early: {found.message} Try another method, looser tolerances, or a shorter time."
            )
        return found.y.T

    if callable(options.get("jac")):
        given = options["jac"]
        plain = tree_rebuilt(equation.args, iter(equation.plain))
        options["jac"] = lambda t, y: tree_map(host_data, given(t, y, *plain))
    whole = {"dense_output": dense_output, "events": events, "vectorized": vectorized}
    asked = _stacked(t_eval) if isinstance(t_eval, (list, tuple)) else t_eval
    at = None if asked is None else np.asarray(host_data(asked))
    rate = lambda t, y: _stepped("solve_ivp", equation.rate, y, t, fixed)  # noqa: E731
    with device("cpu"):
        result = theirs(rate, span, on_host(start), method, at, **whole, **options)
    if not tracked:
        result.y = as_tensor(result.y, start.device)
        return result
    if not result.success:
        raise errors.ConvergenceError(
            f"solve_ivp: the solver stopped early: {result.message} Try another method, looser tolerances, or a shorter time."
        )
    times = as_tensor(result.t if asked is None else asked, start.device)
    result.y = _solved("solve_ivp", equation.rate, solver, start, times.astype(np.float64), theta, False).T
    return result

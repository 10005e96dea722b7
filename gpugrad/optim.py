"""Optimizers, learning-rate schedules, gradient clipping. Names and update rules are PyTorch's.

A step is one plan, run over all parameters in one call: the new parameter and its state are its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .arguments import wait
from .base import errors
from .base.interrupts import uninterrupted
from .base.modes import no_grad
from .core.foreach import ANY_SHAPE, apply_to_many, placeholder
from .core.value import Value
from .functions.creation import full, zeros_like
from .functions.elementwise import clip
from .functions.reductions import sum
from .ops import elementwise as ew
from .tensor import Tensor


class Optimizer:
    """What all optimizers have: parameters, a learning rate `lr`, `step()` and `zero_grad()`.

    Raises ValueError for no parameters or a negative learning rate, GraphError for a tensor that cannot be trained.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        if isinstance(params, Tensor):
            raise errors.not_parameters("one tensor")
        self.params: list[Tensor] = list(params)
        if not self.params:
            raise errors.bad_value("optimizer", "no parameters were given.")
        seen: dict[int, int] = {}
        for n, p in enumerate(self.params):
            if not isinstance(p, Tensor):
                raise errors.not_parameters(f"an iterable of {type(p).__name__!r}")
            if not p.requires_grad or not p.is_leaf:
                raise errors.input_without_grad(n)
            first = seen.setdefault(id(p), n)
            if first < n:
                raise errors.bad_value(
                    "optimizer", f"parameter {first} is given again as number {n}: give each parameter once."
                )
        _check("lr", lr, lr >= 0)
        self.lr = float(lr)
        self.steps = [0 for _ in self.params]
        self._state: list[list[Value]] = [[] for _ in self.params]

    def __repr__(self) -> str:
        hidden = ("params", "_state", "steps")
        settings = ", ".join(f"{k}={v}" for k, v in vars(self).items() if k not in hidden)
        return f"{type(self).__name__}({len(self.params)} parameters, {settings})"

    def zero_grad(self) -> None:
        """Forget all gradients; their buffers are kept."""
        for p in self.params:
            p.zero_grad()

    @property
    def state(self) -> list[list[Tensor]]:
        """The state of each parameter: new tensors at each reading, which later steps do not change."""
        return [[Tensor(v) for v in values] for values in self._state]

    def step(self) -> None:
        """Update every parameter that has a gradient: those alike (dtype, device, age) by one plan, in one call."""
        if not self.elementwise:
            with no_grad(), uninterrupted():  # an interrupt comes before a step or after it
                for n, p in enumerate(self.params):
                    if p.grad is not None:
                        self._step_alone(n)
            return
        with no_grad(), uninterrupted():
            for members, many in self._alike():
                self._step_together(members, many)

    def _alike(self) -> Iterable[tuple[list[int], list[list[Value]]]]:
        """The parameters that have a gradient, those alike together: their numbers; of each its value, gradient and state.

        A function of its own, so that its names end with it: one more reference, and a value would look as if somebody else had it.
        """
        groups: dict[Any, tuple[list[int], list[list[Value]]]] = {}
        for n, p in enumerate(self.params):
            g = p._gradient()
            if g is None:
                continue
            if not self._state[n]:
                self._state[n] = [t._value for t in self.begin(p)]
            values = [p._value, g, *self._state[n]]
            kind = (self.steps[n], *[(v.dtype, id(v.device)) for v in values])
            members, many = groups.setdefault(kind, ([], []))
            members.append(n)
            many.append(values)
        return groups.values()

    def _step_together(self, members: list[int], many: list[list[Value]]) -> None:
        """One step of parameters that are alike: the formula is written once, on placeholders, and run over all of them."""
        first = members[0]
        stands = [placeholder(v.dtype, v.device) for v in many[0]]
        p, g, *state = map(Tensor, stands)
        try:
            new = [t._value for t in self.update(p, g, state, self.steps[first] + 1)]
            if any(v.shape is not ANY_SHAPE for v in new):
                raise errors.placeholder_read()
        except errors.PlaceholderError:  # not elementwise: no one formula holds for all of them
            for n in members:
                self._step_alone(n)
            return
        results = apply_to_many(stands, new, many, [0, *range(2, len(new) + 1)])
        for n, (value, *kept) in zip(members, results, strict=True):
            self.steps[n] += 1
            self._state[n] = kept
            if value is not self.params[n]._value:
                self.params[n]._write(Tensor(value), "step")

    def _step_alone(self, n: int) -> None:
        p, g = self.params[n], self.params[n].grad
        assert g is not None
        if not self._state[n]:
            self._state[n] = [t._value for t in self.begin(p)]
        new, *state = self.update(p, g, self.state[n], self.steps[n] + 1)
        del g
        wait(new, *state)  # one region, all its outputs
        self._state[n] = [t._value for t in state]
        self.steps[n] += 1
        p._write(new, "step")

    def begin(self, p: Tensor) -> Sequence[Tensor]:
        """The state of a parameter before its first step. Of a class that does not say: none."""
        return ()

    def update(self, p: Tensor, g: Tensor, state: list[Tensor], t: int) -> Sequence[Tensor]:
        """The new parameter and its new state, at its t-th step. `state` is what `begin` gave, at the first.

        A class of your own may compute anything here. With ``elementwise = True`` it says that the formula is elementwise and the same for
        all parameters of one dtype and age: it is then written once, on placeholders, and run over all of them. A formula that asks for a
        shape, or for anything that is not elementwise, is found out, and taken parameter by parameter.
        """
        raise NotImplementedError

    elementwise = False  # whether `update` is one formula, element by element, for all parameters of one dtype and age

    def __init_subclass__(cls) -> None:
        order = cls.__mro__
        update, promise = (
            next(n for n, c in enumerate(order) if name in vars(c)) for name in ("update", "elementwise")
        )
        if update < promise:  # the promise was made for another formula
            cls.elementwise = False

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on later: the steps taken and the state of each parameter."""
        state = [[t.copy() for t in tensors] for tensors in self.state]
        return {"kind": type(self).__name__, "lr": self.lr, "steps": list(self.steps), "state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError, and changes nothing, if it does not fit."""
        kind = state.get("kind")
        if kind != type(self).__name__:
            raise errors.bad_value("load_state_dict", f"a state of {kind!r} does not fit {type(self).__name__!r}.")
        if len(state["state"]) != len(self.params):
            raise errors.bad_shape("load_state_dict", f"{len(state['state'])} parameters, expected {len(self.params)}.")
        for n, (p, tensors) in enumerate(zip(self.params, state["state"], strict=True)):
            for t in tensors:
                if t.shape != p.shape:
                    raise errors.bad_shape(
                        "load_state_dict", f"state of shape {t.shape} for parameter {n}, of shape {p.shape}."
                    )
                if t.dtype != p.dtype:
                    raise errors.bad_value("load_state_dict", f"state of {t.dtype} for parameter {n}, of {p.dtype}.")
        self.steps, self.lr = list(state["steps"]), state["lr"]
        self._state = [[t.copy()._value for t in tensors] for tensors in state["state"]]


def _check(name: str, value: object, good: bool) -> None:
    if not good:
        raise errors.bad_value("optimizer", f"{name}={value!r} is out of range.")


class SGD(Optimizer):
    """Stochastic gradient descent: p -= lr * g, with momentum (m = momentum * m + g), Nesterov's form, weight decay.

    params: leaves that require grad. lr: the learning rate. momentum: from 0 to below 1. nesterov: step by
    g + momentum * m instead of m. weight_decay: times p, added to g.

    >>> import gpugrad as gg
    >>> p = gg.tensor([1.0], requires_grad=True)
    >>> optimizer = gg.optim.SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8], device='cpu', requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        _check("momentum", momentum, 0 <= momentum < 1)
        _check("weight_decay", weight_decay, weight_decay >= 0)
        _check("nesterov", nesterov, not nesterov or momentum > 0)
        self.momentum, self.nesterov, self.weight_decay = float(momentum), nesterov, float(weight_decay)

    elementwise = True

    def update(self, p: Tensor, g: Tensor, state: list[Tensor], t: int) -> Sequence[Tensor]:
        if self.weight_decay:
            g = g + self.weight_decay * p
        if not self.momentum:
            return (p - self.lr * g,)
        m = self.momentum * state[0] + g if state else g.copy()
        return p - self.lr * (g + self.momentum * m if self.nesterov else m), m


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), with bias correction.

    params: leaves that require grad. lr: the learning rate. betas: the decay of the mean of g and of g*g, each from 0
    to below 1. eps: added to the root of the latter. weight_decay: times p, added to g.

    >>> import gpugrad as gg
    >>> p = gg.tensor([1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> print(f"{p.item():.6f}")
    0.900000
    """

    decoupled = False
    elementwise = True

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, lr)
        _check("betas", betas, all(0 <= b < 1 for b in betas))
        _check("eps", eps, eps >= 0)
        _check("weight_decay", weight_decay, weight_decay >= 0)
        self.betas, self.eps, self.weight_decay = (float(betas[0]), float(betas[1])), float(eps), float(weight_decay)

    def begin(self, p: Tensor) -> Sequence[Tensor]:
        return zeros_like(p), zeros_like(p)

    def update(self, p: Tensor, g: Tensor, state: list[Tensor], t: int) -> Sequence[Tensor]:
        b1, b2 = self.betas
        m, v = state
        old = p
        if self.weight_decay and self.decoupled:
            old = p * (1 - self.lr * self.weight_decay)
        elif self.weight_decay:
            g = g + self.weight_decay * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g * g)
        root = math.sqrt(1 - b2**t)  # both corrections at the end of section 2 of the paper: one division fewer
        rate = self.lr * root / (1 - b1**t)
        return old - rate * m / (ew.sqrt(v) + self.eps * root), m, v


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): p is shrunk by lr * weight_decay first.

    >>> import gpugrad as gg
    >>> p = gg.tensor([1.0], requires_grad=True)
    >>> optimizer = gg.optim.AdamW([p], lr=0.1)
    >>> (p * 0).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.999], device='cpu', requires_grad=True)
    """

    decoupled = True

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)


class Schedule:
    """Sets an optimizer's learning rate to its first value times `factor(t)`; call `step()` after each step or epoch."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base = optimizer.lr
        self.t = 0
        optimizer.lr = self.base * self.factor(0)

    def step(self) -> None:
        """One step on."""
        self.t += 1
        self.optimizer.lr = self.base * self.factor(self.t)

    def factor(self, t: int) -> float:
        """The learning rate at step t, as a multiple of the first."""
        raise NotImplementedError


class StepLR(Schedule):
    """Times gamma every `step_size` steps.

    >>> import gpugrad as gg
    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = gg.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(3): schedule.step()
    >>> optimizer.lr
    0.5
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        _check("step_size", step_size, step_size >= 1)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma ** (t // self.step_size))


class CosineLR(Schedule):
    """Half a cosine from 1 down to `floor` (Loshchilov and Hutter 2017), after a linear warm-up.

    steps: the number of steps in all. warmup: how many of them rise linearly first. floor: the last factor.

    >>> import gpugrad as gg
    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = gg.optim.CosineLR(optimizer, steps=10, warmup=2)
    >>> [round(schedule.factor(t), 3) for t in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int, warmup: int = 0, floor: float = 0.0) -> None:
        _check("steps", steps, steps > warmup >= 0)
        self.steps, self.warmup, self.floor = steps, warmup, floor
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        if t < self.warmup:
            return (t + 1) / self.warmup
        done = min(1.0, (t - self.warmup) / (self.steps - self.warmup))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))


class WarmupLR(Schedule):
    """Linear from 1 / steps up to 1 over `steps` steps, then constant.

    >>> import gpugrad as gg
    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = gg.optim.WarmupLR(optimizer, steps=4)
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        _check("steps", steps, steps >= 1)
        self.steps = steps
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return min(1.0, (t + 1) / self.steps)


def clip_grad_norm_(params: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients together so that their 2-norm is at most max_norm; returns the norm they had.

    >>> import gpugrad as gg
    >>> p = gg.tensor([3.0, 4.0], requires_grad=True)
    >>> (p * p / 2).sum().backward()
    >>> gg.optim.clip_grad_norm_([p], 1.0)
    tensor(5., device='cpu')
    >>> p.grad
    tensor([0.6, 0.8], device='cpu')
    """
    _check("max_norm", max_norm, max_norm > 0)
    with_grad = [(p, p.grad) for p in params if p.grad is not None]
    if not with_grad:
        raise errors.bad_value("clip_grad_norm_", "no parameter has a gradient; call backward first.")
    with no_grad():
        total = full((), 0.0, device=with_grad[0][0].device)  # in double: squares of 16-bit floats overflow
        for _, g in with_grad:
            total = total + sum(ew.square(g.astype("float64")))
        norm = ew.sqrt(total)
        scale = float(max_norm) / max(norm.item(), float(max_norm))
        if scale < 1:
            for p, g in with_grad:
                p.grad = g * scale
    return norm


def clip_grad_value_(params: Iterable[Tensor], value: float) -> None:
    """Limit each element of every gradient to the interval from -value to value.

    >>> import gpugrad as gg
    >>> p = gg.tensor([3.0, 0.1], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> gg.optim.clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([1. , 0.2], device='cpu')
    """
    _check("value", value, value > 0)
    with no_grad():
        for p in params:
            if p.grad is not None:
                p.grad = clip(p.grad, -float(value), float(value))


__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineLR",
    "Optimizer",
    "Schedule",
    "StepLR",
    "WarmupLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]


def __dir__() -> list[str]:
    return __all__

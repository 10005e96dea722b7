"""From the structure of a region to its plans: one forward, and one backward for each way of asking.

A structure is what two regions must share to share a plan: ops, wiring, dtypes, `requires_grad` of every node, and the
kind of every Python number; never shapes, values or layouts, which are arguments. Plans are derived once per structure
and kept, least recently used out first. A `Program` is the straight-line form that an executor runs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

from ..base.config import PLAN_CACHE
from ..base.dtypes import BOOL
from ..base.forks import survive_fork
from .dag import Dag
from .program import OUTPUT, UPSTREAM, UPSTREAM_MASK, Kind, Program, Source, lower, named
from .symbols import Adjoint, Sym, forward, is_factor, reverse, symbols


class GradientPlan:
    """The gradients of a region's inputs, as symbols (to run on tensors) and as a program (to run on arrays).

    wanted: the inputs, by index, then the interior nodes asked for. values, masks: their adjoints; None for a gradient
    that is zero everywhere, or for a mask that is not needed. alias: the upstream gradient itself, unchanged.
    """

    __slots__ = (
        "_outputs",
        "_program",
        "_scalars",
        "alias",
        "masks",
        "names",
        "nodes",
        "places",
        "upstream",
        "upstream_mask",
        "values",
    )

    def __init__(self, plan: Plan, request: GradientRequest) -> None:
        nodes, inputs, (root, *_) = symbols(plan.dag)
        graph = root.graph
        self.nodes = nodes
        self.upstream = graph.input(root.dtype, True)
        self.upstream_mask = graph.input(BOOL, False) if request.masked else None
        wanted = [inputs[i] for i in request.inputs] + [nodes[i] for i in request.interior]
        adjoints = reverse(root, Adjoint(self.upstream, self.upstream_mask), wanted)
        found = [adjoints.get(w) for w in wanted]
        self.values = [a.value if a is not None else None for a in found]
        masks = [*request.masks, *(False for _ in request.interior)]
        self.masks = [a.mask if a is not None and keep else None for a, keep in zip(found, masks, strict=True)]
        self.alias = [a is not None and a.value is self.upstream for a in found]
        self.names = named(inputs)
        self.names[self.upstream] = UPSTREAM
        if self.upstream_mask is not None:
            self.names[self.upstream_mask] = UPSTREAM_MASK
        if request.stored:
            self.names.setdefault(root, OUTPUT)
        # An alias is passed on, not computed; whatever else is asked for becomes an output of the program, in places.
        self.places: list[tuple[int | None, int | None]] = []
        outputs: list[Sym] = []
        for value, mask, alias in zip(self.values, self.masks, self.alias, strict=True):
            place: list[int | None] = [None, None]
            for k, s in enumerate((None if alias else value, mask)):
                if s is not None and s is not self.upstream_mask:
                    place[k] = len(outputs)
                    outputs.append(s)
            self.places.append((place[0], place[1]))
        self._outputs = outputs
        self._scalars = len(plan.dag.scalars)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        if self._program is None:
            self._program = lower(self._outputs, self.names, self._scalars)
        return self._program

    def reads(self) -> set[Source]:
        """The sources that the outputs depend on, found without lowering them."""
        seen: set[Sym] = set()
        stack = list(self._outputs)
        while stack:
            s = stack.pop()
            if s not in seen:
                seen.add(s)
                if s not in self.names:
                    stack.extend(s.args)
        return {self.names[s] for s in seen if s in self.names}


class TangentPlan:
    """The tangent of a region's output, given those of some inputs: as symbols, and as a program.

    moving: for each input with a tangent, its index, and whether that has a mask. value, mask: the tangent of the output;
    a value of None is zero everywhere. alias: the one input whose tangent it is, unchanged.
    """

    __slots__ = ("_program", "_scalars", "alias", "mask", "masks", "names", "nodes", "tangents", "value")

    def __init__(self, plan: Plan, moving: tuple[tuple[int, bool], ...], stored: bool) -> None:
        nodes, inputs, (root, *_) = symbols(plan.dag)
        graph = root.graph
        self.nodes = nodes
        self.tangents = {n: graph.input(inputs[n].dtype, True) for n, _ in moving}
        self.masks = {n: graph.input(BOOL, False) for n, masked in moving if masked}
        found = forward(root, {inputs[n]: Adjoint(t, self.masks.get(n)) for n, t in self.tangents.items()})
        self.value = found.value if found is not None else None
        self.mask = found.mask if found is not None else None
        self.names = named(inputs)
        self.names |= {t: Source(Kind.TANGENT, n) for n, t in self.tangents.items()}
        self.names |= {m: Source(Kind.MASK, n) for n, m in self.masks.items()}
        if stored:
            self.names.setdefault(root, OUTPUT)
        self.alias = next((n for n, t in self.tangents.items() if t is self.value), None)
        self._scalars = len(plan.dag.scalars)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The tangent and, if there is one, its mask."""
        if self._program is None:
            outputs = [s for s in (self.value, self.mask) if s is not None]
            self._program = lower(outputs, self.names, self._scalars)
        return self._program


class GradientRequest(NamedTuple):
    """What a backward plan is asked for: part of its cache key."""

    inputs: tuple[int, ...]  # the inputs whose gradients are wanted
    masks: tuple[bool, ...]  # for each, whether a mask is of use to whoever made it
    interior: tuple[int, ...]  # interior nodes whose adjoints are wanted too
    masked: bool  # the upstream gradient carries a mask
    stored: bool  # the region's output is there and need not be recomputed


class Plan:
    """What a structure needs to run: a forward program, and gradient and tangent plans made when first asked for.

    dag: what it was made from, which holds no value of any region. reached: the inputs that a gradient can flow to.
    """

    __slots__ = ("_backward", "_needs", "_nonlinear", "_tangent", "dag", "expected", "forward", "reached")

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self._backward: dict[GradientRequest, GradientPlan] = {}
        self._tangent: dict[Any, TangentPlan] = {}
        self._nonlinear: bool | None = None
        self.expected: set[Any] = set()  # for which (shape, axes) its backward has been announced to the backend
        self._needs: dict[Any, Any] = {}
        _, inputs, roots = symbols(dag)
        below = _differentiable(roots[0])
        self.reached = tuple(n for n, s in enumerate(inputs) if s in below)
        self.forward = lower(roots, named(inputs), len(dag.scalars))

    def backward(self, request: GradientRequest) -> GradientPlan:
        found = self._backward.get(request)
        if found is None:
            found = self._backward[request] = GradientPlan(self, request)
        return found

    def tangent(self, moving: tuple[tuple[int, bool], ...], stored: bool) -> TangentPlan:
        """The plan of the output's tangent: see `TangentPlan`. stored: the output is there and need not be recomputed."""
        found = self._tangent.get((moving, stored))
        if found is None:
            found = self._tangent[moving, stored] = TangentPlan(self, moving, stored)
        return found

    @property
    def nonlinear(self) -> bool:
        """Whether a local gradient may be infinite or NaN: only then does it matter which elements took part."""
        if self._nonlinear is None:
            root = symbols(self.dag).roots[0]
            self._nonlinear = any(
                is_factor(p)
                for s in _differentiable(root)
                if s.op is not None and s.op.rule is not None
                for a, p in zip(s.args, root.graph.partials(s, s.dtype), strict=True)
                if a.grad
            )
        return self._nonlinear

    def needs(self, wanted: tuple[int, ...], stored: bool) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
        """What backward reads: (the inputs to keep, by index; whether it reads the output; the inputs that it knows nothing of).

        Computed, not declared.
        """
        key = wanted, stored
        found = self._needs.get(key)
        if found is None:
            # With masks and every interior adjoint: whatever is asked for later reads no more than this.
            interior = tuple(n for n, s in enumerate(symbols(self.dag).nodes) if s.grad)
            sources = GradientPlan(self, GradientRequest(wanted, (True,) * len(wanted), interior, True, stored)).reads()
            keep = tuple(sorted(s.index for s in sources if s.kind is Kind.INPUT))
            rest = tuple(n for n in range(len(self.dag.inputs)) if n not in keep and n not in wanted)
            found = keep, OUTPUT in sources, rest
            self._needs[key] = found
        return found


def _differentiable(root: Sym) -> set[Sym]:
    """The symbols that a gradient of `root` can flow to: not what was called under no_grad, detached or compared."""
    seen: set[Sym] = set()
    stack = [root]
    while stack:
        s = stack.pop()
        if s.grad and s not in seen:
            seen.add(s)
            stack.extend(s.args)
    return seen


class Structured(Protocol):
    """A region that a plan is wanted for. key: equal for those that may share one. dag: asked for where there is none yet."""

    key: Hashable

    def dag(self) -> Dag: ...


class PlanCache:
    """The plans of the structures seen so far, least recently used out first; counts what it was asked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made = 0
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._lock = threading.RLock()
        survive_fork(self._lock)

    def get(self, found: Structured) -> Plan:
        with self._lock:
            plan = self._plans.get(found.key)
            if plan is not None:
                self._plans.move_to_end(found.key)
                return plan
        plan = Plan(found.dag())
        with self._lock:
            self.made += 1
            self._plans[found.key] = plan
            if len(self._plans) > self.size:
                self._plans.popitem(last=False)
        return plan

    def clear(self) -> None:
        with self._lock:
            self._plans.clear()


plans = PlanCache(PLAN_CACHE)

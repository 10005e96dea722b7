"""From the structure of a region to its plans: one forward, and one backward for each way of asking.

A structure is what two regions must share to share a plan: ops, wiring, dtypes, `requires_grad` of every node, and the
kind of every Python number; never shapes, values or layouts, which are arguments. Plans are derived once per structure
and kept, least recently used out first. A `Program` is the straight-line form that an executor runs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from ..base.config import PLAN_CACHE
from ..base.dtypes import BOOL
from ..base.forks import survive_fork
from .dag import Dag
from .program import Kind, Program, Source, lower, named
from .symbols import Adjoint, Sym, forward, is_factor, reverse, symbols


class GradientPlan:
    """The gradients of a region's inputs, as symbols (to run on tensors) and as a program (to run on arrays).

    wanted: the inputs, by index, then the interior nodes asked for. upstream, upstream_masks: what arrives, by output. values, masks: the
    adjoints of what is wanted; None for a gradient that is zero everywhere, or for a mask that is not needed. alias: the upstream gradient
    itself, unchanged (of a region with one output; with several, everything is computed). joint: the program computes the outputs of the
    region as well, before what is asked for; which gradients may be the upstream one itself.
    """

    __slots__ = (
        "_outputs",
        "_program",
        "_rows",
        "_scalars",
        "alias",
        "masks",
        "names",
        "nodes",
        "places",
        "upstream",
        "upstream_masks",
        "values",
    )

    def __init__(self, plan: Plan, request: GradientRequest, joint: tuple[bool, ...] | None = None) -> None:
        nodes, inputs, roots = symbols(plan.dag)
        graph = roots[0].graph
        self.nodes = nodes
        arrived = {k: masked for k, masked in enumerate(request.arrived) if masked is not None}
        self.upstream = {k: graph.input(roots[k].dtype, True, bool(roots[k].row)) for k in arrived}
        self.upstream_masks = {
            k: graph.input(BOOL, False, bool(roots[k].row)) for k, masked in arrived.items() if masked
        }
        wanted = [inputs[i] for i in request.inputs] + [nodes[i] for i in request.interior]
        seeds = {roots[k]: Adjoint(g, self.upstream_masks.get(k)) for k, g in self.upstream.items()}
        adjoints = reverse(seeds, wanted)
        found = [adjoints.get(w) for w in wanted]
        masks = [*request.masks, *(False for _ in request.interior)]
        single = len(roots) == 1
        self.alias = [single and a is not None and a.value is self.upstream[0] for a in found]
        if joint is not None:
            self.alias = [alias and passed for alias, passed in zip(self.alias, joint, strict=True)]
        self.values = [None if a is None else _like(w, a.value) for w, a in zip(wanted, found, strict=True)]
        self.masks = [
            None if a is None or a.mask is None or not keep else _like(w, a.mask)
            for w, a, keep in zip(wanted, found, masks, strict=True)
        ]
        self.names = named(inputs)
        self.names |= {g: Source(Kind.UPSTREAM, k) for k, g in self.upstream.items()}
        self.names |= {m: Source(Kind.UPSTREAM_MASK, k) for k, m in self.upstream_masks.items()}
        if request.stored:
            for k, root in enumerate(roots):
                self.names.setdefault(root, Source(Kind.OUTPUT, k))
        # An alias is passed on, not computed; whatever else is asked for becomes an output of the program, in places.
        self.places: list[tuple[int | None, int | None]] = []
        outputs: list[Sym] = [] if joint is None else list(roots)
        self._rows: list[bool | None] = [s.row for s in outputs]
        for w, value, mask, alias in zip(wanted, self.values, self.masks, self.alias, strict=True):
            place: list[int | None] = [None, None]
            for k, s in enumerate((value, mask) if not alias else ()):
                if s is not None and not (single and s is self.upstream_masks.get(0)):
                    place[k] = len(outputs)
                    outputs.append(s)
                    self._rows.append(w.row)
            self.places.append((place[0], place[1]))
        self._outputs = outputs
        self._scalars = len(plan.dag.scalars)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        if self._program is None:
            self._program = lower(self._outputs, self.names, self._scalars, self._rows)
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


def _like(w: Sym, s: Sym) -> Sym:
    """What has arrived at a symbol, with as many elements: a row value that arrives at a full one is repeated."""
    return s.graph.full(s) if w.row is False else s


class TangentPlan:
    """The tangents of a region's outputs, given those of some inputs: as symbols, and as a program.

    moving: for each input with a tangent, its index, and whether that has a mask. values, masks: the tangents of the outputs;
    a value of None is zero everywhere. tangents, taking: those that arrive, and their masks. alias: of a region with one output, the one
    input whose tangent it is, unchanged.
    """

    __slots__ = ("_program", "_row", "_scalars", "alias", "masks", "names", "nodes", "taking", "tangents", "values")

    def __init__(self, plan: Plan, moving: tuple[tuple[int, bool], ...], stored: bool) -> None:
        nodes, inputs, roots = symbols(plan.dag)
        graph = roots[0].graph
        self.nodes = nodes
        self.tangents = {n: graph.input(inputs[n].dtype, True, bool(inputs[n].row)) for n, _ in moving}
        self.taking = {n: graph.input(BOOL, False, bool(inputs[n].row)) for n, masked in moving if masked}
        found = forward(roots, {inputs[n]: Adjoint(t, self.taking.get(n)) for n, t in self.tangents.items()})
        self.values = [_like(r, a.value) if a is not None else None for r, a in zip(roots, found, strict=True)]
        self.masks = [
            _like(r, a.mask) if a is not None and a.mask is not None else None
            for r, a in zip(roots, found, strict=True)
        ]
        self.names = named(inputs)
        self.names |= {t: Source(Kind.TANGENT, n) for n, t in self.tangents.items()}
        self.names |= {m: Source(Kind.MASK, n) for n, m in self.taking.items()}
        if stored:
            for k, root in enumerate(roots):
                self.names.setdefault(root, Source(Kind.OUTPUT, k))
        single = self.values[0] if len(roots) == 1 else None
        self.alias = next((n for n, t in self.tangents.items() if t is single), None)
        self._row = roots[0].row
        self._scalars = len(plan.dag.scalars)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The tangents, then the masks, of those that there are."""
        if self._program is None:
            outputs = [s for s in (*self.values, *self.masks) if s is not None]
            self._program = lower(outputs, self.names, self._scalars, [self._row] * len(outputs))
        return self._program


class GradientRequest(NamedTuple):
    """What a backward plan is asked for: part of its cache key."""

    inputs: tuple[int, ...]  # the inputs whose gradients are wanted
    masks: tuple[bool, ...]  # for each, whether a mask is of use to whoever made it
    interior: tuple[int, ...]  # interior nodes whose adjoints are wanted too
    arrived: tuple[bool | None, ...]  # for each output, whether its gradient carries a mask; None if none has arrived
    stored: bool  # the region's outputs are there and need not be recomputed


class Plan:
    """What a structure needs to run: a forward program, and gradient and tangent plans made when first asked for.

    dag: what it was made from, which holds no value of any region. reached: the inputs that a gradient can flow to. reads: the inputs that
    the forward program reads, in its order (the body of a compound op may read them in another than that of the call).
    """

    __slots__ = (
        "_backward",
        "_joint",
        "_needs",
        "_nonlinear",
        "_tangent",
        "_usual",
        "dag",
        "expected",
        "forward",
        "reached",
        "reads",
    )

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self._backward: dict[GradientRequest, GradientPlan] = {}
        self._tangent: dict[Any, TangentPlan] = {}
        self._usual: dict[bool, GradientPlan] = {}
        self._nonlinear: bool | None = None
        self._joint: dict[tuple[bool, ...], GradientPlan] = {}
        self.expected: set[Any] = set()  # for which (shape, axes) its backward has been announced to the backend
        self._needs: dict[Any, Any] = {}
        _, inputs, roots = symbols(dag)
        below = _differentiable(roots)
        self.reached = tuple(n for n, s in enumerate(inputs) if s in below)
        self.forward = lower(roots, named(inputs), len(dag.scalars))
        self.reads = tuple(s.index for s in self.forward.sources)

    def backward(self, request: GradientRequest) -> GradientPlan:
        found = self._backward.get(request)
        if found is None:
            found = self._backward[request] = GradientPlan(self, request)
        return found

    def usual(self, stored: bool) -> GradientPlan:
        """What is asked for nearly always: the gradients of all inputs that have one, no masks."""
        found = self._usual.get(stored)
        if found is None:
            count = len(self.reached)
            request = GradientRequest(self.reached, (False,) * count, (), (False,) * len(self.dag.roots), stored)
            found = self._usual[stored] = self.backward(request)
        return found

    def joint(self, passed: tuple[bool, ...]) -> GradientPlan:
        """The same, and what the region computes forward: all in one program, which reads the inputs once.

        passed: which of the gradients may be the upstream one itself; the others are stored in any case.
        """
        found = self._joint.get(passed)
        if found is None:
            count = len(self.reached)
            request = GradientRequest(self.reached, (False,) * count, (), (False,) * len(self.dag.roots), False)
            found = self._joint[passed] = GradientPlan(self, request, passed)
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
            self._nonlinear = any(
                is_factor(p)
                for s in _differentiable(symbols(self.dag).roots)
                if s.op is not None and s.op.rule is not None
                for a, p in zip(s.args, s.graph.partials(s, s.dtype), strict=True)
                if a.grad
            )
        return self._nonlinear

    def needs(self, wanted: tuple[int, ...], stored: bool) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """What backward reads: (the inputs to keep, by index; the outputs that it reads; the inputs that it knows nothing of).

        Computed, not declared.
        """
        key = wanted, stored
        found = self._needs.get(key)
        if found is None:
            # With masks and every interior adjoint: whatever is asked for later reads no more than this.
            interior = tuple(n for n, s in enumerate(symbols(self.dag).nodes) if s.grad)
            arrived = (True,) * len(self.dag.roots)
            sources = GradientPlan(
                self, GradientRequest(wanted, (True,) * len(wanted), interior, arrived, stored)
            ).reads()
            keep = tuple(sorted(s.index for s in sources if s.kind is Kind.INPUT))
            rest = tuple(n for n in range(len(self.dag.inputs)) if n not in keep and n not in wanted)
            found = keep, tuple(sorted(s.index for s in sources if s.kind is Kind.OUTPUT)), rest
            self._needs[key] = found
        return found


def _differentiable(roots: Sequence[Sym]) -> set[Sym]:
    """The symbols that a gradient of `roots` can flow to: not what was called under no_grad, detached or compared."""
    seen: set[Sym] = set()
    stack = list(roots)
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

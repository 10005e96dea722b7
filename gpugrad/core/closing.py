"""Closing: a pending expression becomes a region, is run, and becomes one node of the tape. This is the one place where it happens."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence, Set
from typing import Any

from ..backends.protocol import Backend, Output
from ..base import errors
from ..base.config import MAX_INPUTS, config
from ..base.counters import counters
from ..base.forks import survive_fork
from ..ops.op import Op
from ..plans.plan import plans
from . import checks
from .nodes import Leaf, Part, Region, usual_backward
from .structure import edge_of, members, structure
from .value import Value, is_row

LOCK = threading.RLock()  # covers closing (two threads that read one tensor compute it once) and adding to leaves
survive_fork(LOCK)  # registered after the locks that are taken inside it, and so taken before them
ANNOUNCED = 16  # shapes for which the backward of one plan is compiled ahead


class _Forgotten:
    """Stands for the node of a region that recorded none: its interior values were computed, and can be again."""


_FORGOTTEN = weakref.ref(_Forgotten)


def close(v: Value) -> Any:
    """The buffer of a value, computing its region if it is pending.

    All or nothing: after an error the value is still pending, and reading it tries again.
    """
    if v.array is None:
        with LOCK:
            if v.array is None:
                if v.op is None:
                    raise errors.placeholder_read()
                _close([v])
    return v.array


def is_recorded(v: Value) -> bool:
    """Whether computing a pending value makes a node of the tape."""
    return v.requires_grad and type(v.node) is not Leaf


def close_together(values: Sequence[Value]) -> None:
    """Compute pending values; those of one shape and device as one region with many outputs, as far as the caps allow."""
    with LOCK:
        groups: dict[Any, list[Value]] = {}
        for v in values:
            if v.array is None:
                groups.setdefault((v.shape, v.device, is_recorded(v), v.rows), []).append(v)
        for group in groups.values():
            for part in _within_caps(list(dict.fromkeys(group))):
                left = [v for v in part if v.array is None]  # an earlier part may have needed some
                if left:
                    _close(left)


def _within_caps(values: list[Value]) -> Iterator[list[Value]]:
    """Values in parts that one region may hold."""
    if values[0].rows is not None and values[0].rows.long:  # each is the end of a region of its own
        yield from ([v] for v in values)
        return
    part = list(values)
    while part:
        if len(part) == 1 or _fits(part):
            yield part
            values, part = values[len(part) :], values[len(part) :]
        else:
            part = part[: len(part) // 2]


def _fits(values: list[Value]) -> bool:
    nodes = members(values)
    inputs = {id(a) for n in nodes for a in n.args if type(a) is Value and a.op is None}
    return len(nodes) <= config.fuse and len(inputs) <= MAX_INPUTS


class _Job:
    """A region about to be computed: everything that can be done before anything has changed.

    axes: what the roots are summed over, None if they are not. done: it is computed.
    """

    __slots__ = ("arrays", "axes", "done", "extent", "found", "node", "outputs", "plan", "recorded", "rows", "sinks")

    def __init__(self, outputs: list[Value], given: Set[Value] = frozenset()) -> None:
        first = outputs[0]
        long = first.rows is not None and first.rows.long  # a sum, which ends the region of what is summed
        roots = outputs
        if long:
            (summed,) = first.args
            if summed not in given and (summed.absorbed is not None or summed.node is not None or is_row(summed)):
                close(summed)
            roots = [summed]
        there = roots[0] in given  # all that is left to do is to sum it
        self.rows = rows = None if there else roots[0].rows
        row = not there and is_row(roots[0])
        shape, dtype = roots[0].shape, roots[0].dtype
        self.found = found = structure(roots, close, given)
        self.outputs = [first] if long else roots
        self.done = False
        self.node: Region | None = None
        self.axes: tuple[int, ...] | None = None
        self.plan = plans.get(found)
        self.extent = extent = shape if rows is None else rows.extent
        if type(extent) is not tuple:  # that of a placeholder
            raise errors.placeholder_read()
        self.recorded = is_recorded(self.outputs[0])
        backend = first.device.backend
        if long:
            assert first.rows is not None
            self.axes = first.rows.axes
            self.arrays = [backend.empty(first.shape, dtype)]
            self.sinks = [Output(self.arrays[0].reshape(first.rows.kept), self.axes)]
        else:
            self.arrays = [backend.empty(shape, r.dtype) for r in roots]
            self.sinks = [Output(a.reshape(rows.kept) if rows is not None and row else a) for a in self.arrays]
        if config._debug:
            checks.check_borrowed(found.inputs)

    def run(self) -> None:
        backend = self.outputs[0].device.backend
        if self.recorded and backend.ahead:
            announced = self.plan.expected
            if (self.extent, self.axes) not in announced and len(announced) < ANNOUNCED:
                announced.add((self.extent, self.axes))
                self._expect_backward(backend)
        backend.run(self.plan.forward, self.extent, self.inputs(), self.found.scalars, self.sinks, self._across())

    def _across(self) -> tuple[int, ...]:
        return () if self.rows is None else self.rows.axes

    def _expect_backward(self, backend: Backend) -> None:
        """Tell the backend what the usual pass will run, so that forward and backward are compiled at the same time."""
        opened = self.found.opened
        inputs = [a.array.reshape(opened.get(n, a.shape)) for n, a in enumerate(self.found.inputs)]
        axes = self._across() if self.axes is None and self.sinks[0].buffer.shape != self.extent else self.axes
        outputs = [s.buffer for s in self.sinks]
        program, arrays, sinks = usual_backward(
            self.plan, self.extent, axes, inputs, outputs, self.rows, self.axes is None
        )
        if sinks:
            backend.expect(program, self.extent, arrays, sinks, self._across())

    def inputs(self) -> list[Any]:
        inputs, opened = self.found.inputs, self.found.opened
        if opened:
            return [inputs[n].array.reshape(opened.get(n, inputs[n].shape)) for n in self.plan.reads]
        return [inputs[n].array for n in self.plan.reads]

    def begin(self) -> Region:
        """The node that the region will be on the tape."""
        node = self.node
        if node is None:
            outputs = self.outputs
            node = self.node = Region(outputs, self.arrays, self.plan, self.found, self.extent, self.axes, self.rows)
            alone = outputs[0] if len(outputs) == 1 else None
            for n, v in enumerate(self.found.nodes):
                if v.slot is not None and v is not alone and v.requires_grad:
                    node.retained[n] = v.slot
            if alone is not None:
                node.slot = alone.slot
        return node

    def compute(self) -> None:
        """Run it, unless that was done."""
        if not self.done:
            self.run()
            self.finish()

    def finish(self) -> None:
        """The values are computed: say so. Nothing here can fail."""
        self.done = True
        found, outputs = self.found, self.outputs
        counters.forward += 1
        if config._debug:
            checks.check_region(found, self.arrays)
        node = self.begin() if self.recorded else None
        # A value with its array in place is computed, so that comes last.
        mark = weakref.ref(node) if node is not None else _FORGOTTEN
        computed = set(outputs)
        for v in found.nodes:
            if v not in computed:
                v.absorbed = mark
        if node is not None and len(outputs) == 1:
            outputs[0].node = node
        for v, array in zip(outputs, self.arrays, strict=True):
            v.array = array
            v.release_operands()


def _close(outputs: list[Value]) -> None:
    job = _Job(outputs)
    if job.outputs[0].array is None:  # or it was computed on the way to another
        job.compute()


def begun(v: Value) -> list[_Job]:
    """The regions that a pending value is the end of, on the tape, for a pass to compute together with their gradients.

    Several, the last first, where one sums what another computes and its gradient depends on nothing: as the mean of a loss. Empty if
    the value is computed already, or cannot be computed so. The caller holds the lock until they are computed, or forgotten.
    """
    if v.array is not None or v.op is None or config._debug or not is_recorded(v):
        return []
    a = _summed_in(v)
    if a is not None and a.node is None:
        found = _begun_after(v, a)
        if found:
            return found
    del a  # a name of its own would look like a user's to those who count references
    job = _Job([v])
    if v.array is not None:
        return []
    job.begin()
    return [job]


def _summed_in(v: Value) -> Value | None:
    """What another region computes, where a value is made of one sum of it: the mean of losses, say."""
    while type(v.op) is Op and type(v.args[0]) is Value:
        v = v.args[0]
        if v.rows is not None and v.rows.long:
            return v
    return edge_of(v) if v.op is not None else None


def _begun_after(v: Value, a: Value) -> list[_Job]:
    """The same for a value whose region begins with another's, if its gradient does not read what that one computes."""
    before = begun(a)
    if not before:
        return []
    a.node = before[0].begin()  # while the pass lasts, or until it is computed
    found: list[_Job] = []
    try:
        last = _Job([v], {a})
        keep, reads, _ = last.plan.needs(last.plan.reached, last.axes is None)
        pending = all(w.array is None for job in before for w in job.outputs)  # or another has computed it on the way
        if not keep and not reads and v.array is None and pending:
            last.begin()
            found = [last, *before]
    finally:
        if not found:  # it does read it, or there was no memory
            forget(before)
    return found


def forget(jobs: Sequence[_Job]) -> None:
    """Regions that were begun are not computed after all. (What another region has computed meanwhile has that one's node.)"""
    for job in jobs:
        for v in job.outputs:
            if v.array is None:
                v.node = None


def absorbing(v: Value) -> Region | None:
    """The recorded region that has computed a value together with ops that may use it, while it is there.

    Its gradient is then not all that arrives at a node: the region knows of the rest.
    """
    if type(v.node) is Part:
        return v.node.region
    region = v.absorbed() if v.absorbed is not None else None
    return region if isinstance(region, Region) else None

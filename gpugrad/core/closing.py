"""Closing: a pending expression becomes a region, is run, and becomes one node of the tape. This is the one place where it happens."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from ..backends.protocol import Backend, Output
from ..base import errors
from ..base.config import MAX_INPUTS, config
from ..base.counters import counters
from ..base.forks import survive_fork
from ..base.frames import user_line
from ..base.modes import grad_mode
from ..base.shapes import reduced
from ..plans.plan import plans
from . import checks
from .nodes import Leaf, Part, Region, usual_backward
from .structure import members, structure
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


def reduce_sum(v: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The sum of a value over axes (logical or for booleans); a pending value becomes the map of the reduction."""
    with LOCK:
        if v.absorbed is not None or v.node is not None or is_row(v):
            close(v)
        return _close([v], axes, keepdims)


class _Job:
    """A region about to be computed: everything that can be done before anything has changed."""

    __slots__ = ("arrays", "axes", "extent", "found", "outputs", "plan", "recorded", "rows", "sinks")

    def __init__(self, roots: list[Value], axes: tuple[int, ...] | None, keepdims: bool) -> None:
        root = roots[0]
        self.rows = rows = root.rows
        row = is_row(root)
        self.found = found = structure(roots, close)
        root = roots[0]
        self.plan = plans.get(found)
        self.axes = axes
        self.extent = extent = root.shape if rows is None else rows.extent
        if type(extent) is not tuple:  # that of a placeholder
            raise errors.placeholder_read()
        backend = root.device.backend
        if axes is None:
            self.outputs = roots
            self.recorded = is_recorded(root)
            self.arrays = [backend.empty(root.shape, r.dtype) for r in roots]
            shape = rows.kept if rows is not None and row else root.shape
            self.sinks = [Output(a.reshape(shape)) for a in self.arrays]
        else:
            self.recorded = root.requires_grad and grad_mode.enabled
            shape = reduced(extent, axes, keepdims)
            total = Value(None, shape, root.dtype, root.device, self.recorded, None, True)
            if config._debug:
                total.line = user_line()
            self.outputs = [total]
            self.arrays = [backend.empty(shape, root.dtype)]
            self.sinks = [Output(self.arrays[0].reshape(reduced(extent, axes, True)), axes)]
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

    def finish(self) -> Value:
        """The values are computed: say so. Nothing here can fail."""
        found, outputs = self.found, self.outputs
        counters.forward += 1
        if config._debug:
            checks.check_region(found, self.arrays)
        node = (
            Region(outputs, self.arrays, self.plan, found, self.extent, self.axes, self.rows) if self.recorded else None
        )
        # A value with its array in place is computed, so that comes last.
        mark = weakref.ref(node) if node is not None else _FORGOTTEN
        single = len(outputs) == 1
        computed = set(outputs)
        for n, v in enumerate(found.nodes):
            if v not in computed:
                v.absorbed = mark
            elif single:
                continue  # its node keeps its slot
            if v.slot is not None and node is not None and v.requires_grad:
                node.retained[n] = v.slot
        if node is not None and single:
            outputs[0].node = node
            node.slot = outputs[0].slot
        for v, array in zip(outputs, self.arrays, strict=True):
            v.array = array
            v.release_operands()
        return outputs[0]


def _close(roots: list[Value], axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
    job = _Job(roots, axes, keepdims)
    if axes is None and roots[0].array is not None:
        return roots[0]  # computed on the way to another
    job.run()
    return job.finish()


def absorbing(v: Value) -> Region | None:
    """The recorded region that has computed a value together with ops that may use it, while it is there.

    Its gradient is then not all that arrives at a node: the region knows of the rest.
    """
    if type(v.node) is Part:
        return v.node.region
    region = v.absorbed() if v.absorbed is not None else None
    return region if isinstance(region, Region) else None

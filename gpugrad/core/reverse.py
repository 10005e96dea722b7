"""The reverse pass: gradients from the roots to the leaves, highest number first.

Every node receives the sum of what its users send and sends on local gradient times upstream gradient: `reverse` is all of it. What is
around it: which gradients somebody wants, hooks, and what is true of `.grad` while the pass is under way, or if it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..base import errors
from ..base.modes import set_grad_enabled
from .adjoints import Accumulator, Adjoint
from .arithmetic import InPlace
from .closing import LOCK, absorbing, begun, close, forget
from .nodes import Leaf, Node, Part, Progress, Region, Slot, check_not_freed, check_nothing_lost, leaves_of, reachable
from .recorded import Recorded
from .value import Value
from .variable import Variable

Seed = tuple[Value, Value, "Value | None"]  # a root, its upstream gradient, and the mask of the elements that take part


def reverse(roots: Sequence[tuple[Node, Adjoint]], gradients: Gradients, retain: bool) -> None:
    """Take the nodes below the roots, newest first; each sends what has arrived at it on to its targets."""
    order = reachable([node for node, _ in roots])
    gradients.prepare(order)
    below = () if retain else leaves_of(order)
    for node, g in roots:
        to = gradients(node)
        if to is not None:
            to.arrive(g)
    leaves: list[tuple[Leaf, Adjoint | None]] = []
    try:
        while order:
            node = order.pop()
            if node not in gradients.needed:
                continue
            arrived = gradients.take(node)
            if isinstance(node, Leaf):
                leaves.append((node, arrived))
                continue
            check_not_freed(node)
            if arrived is not None:
                gradients.show(node, arrived)
                node.vjp(arrived, gradients)
            if not retain:
                node.free(below)
    except MemoryError:
        if not retain:
            for node in (*order, *gradients.accumulators):  # what was kept for this pass is memory, too
                node.free(below)
            gradients.accumulators.clear()
        raise
    gradients.deliver(leaves)


class Wanted:
    """A gradient that the caller wants back: of a node, or of an interior node of a region."""

    __slots__ = ("interior", "node", "value")

    def __init__(self, v: Value) -> None:
        region = absorbing(v)
        self.node: Node | None = None if type(v.node) is Part else v.node
        self.interior = None if region is None else (region, region.find(v))
        self.value: Value | None = None

    def receive(self, g: Value, /) -> None:
        self.value = total(self.value, g)


class Gradients:
    """The gradients of one pass: an accumulator for each node that a wanted gradient can be reached from.

    wanted: the gradients to give back; None: leaves keep what arrives, in their slots.
    """

    def __init__(self, arithmetic: InPlace | Recorded, wanted: Sequence[Wanted] | None) -> None:
        self.arithmetic = arithmetic
        self.keeps = wanted is None
        self.wanted = list(wanted or ())
        self.accumulators: dict[Node, Accumulator] = {}
        self.gathered: dict[Node, list[Adjoint | None]] = {}
        self.needed: set[Node] = set()
        self.slots: list[Slot] = []
        self.progress = Progress()

    def prepare(self, order: Sequence[Node]) -> None:
        """Find the nodes from which a wanted gradient can be reached; all of them when leaves keep theirs. Lowest number first."""
        if self.keeps:
            self.needed = set(order)
            self.slots = [n.slot for n in order if n.slot is not None]
            return
        ends = {w.node if w.interior is None else w.interior[0] for w in self.wanted}
        ends |= {w.node for w in self.wanted}
        check_nothing_lost(order, ends)
        needed = self.needed
        for node in order:
            if node in ends or not needed.isdisjoint(node.targets):
                needed.add(node)

    def __call__(self, node: Node | None) -> Accumulator | None:
        """Where the gradient of a node is summed; None if nobody wants it."""
        if node not in self.needed or node is None:
            return None
        to = self.accumulators.get(node)
        if to is None:
            to = self.accumulators[node] = self.arithmetic.accumulator(node)
            if type(node) is Leaf and self.keeps and not node.hooks and self.arithmetic.in_slot(to):
                assert node.slot is not None
                self.touch(node.slot)
        return to

    def interior(self, region: Region) -> list[tuple[int, Callable[[Value], None]]]:
        """The interior nodes of a region whose gradients somebody wants, and who receives them."""
        if self.keeps:
            if not region.retained:
                return []
            return [(n, lambda g, slot=slot: self.deposit(slot, g)) for n, slot in region.retained.items()]  # type: ignore[misc]
        return [(w.interior[1], w.receive) for w in self.wanted if w.interior is not None and w.interior[0] is region]

    def gather(self, region: Region, k: int, g: Adjoint) -> None:
        """The gradient of one output of a region that has several."""
        if region in self.needed:
            self.gathered.setdefault(region, [None] * len(region.parts))[k] = g

    def take(self, node: Node) -> Any:
        """What has arrived at a node, after its hooks; of a region with several outputs, a list."""
        arrived: Any = self.accumulators.pop(node, None)
        if arrived is None:
            return self.gathered.pop(node, None)
        if arrived.value is None:
            return None
        for hook in list(node.hooks) if node.hooks else ():  # one may remove itself
            result = hook(self.arithmetic.as_value(arrived, node))
            if result is None:
                arrived.owned = False  # the hook may have kept what it was shown
                continue
            if result.shape != node.shape:
                raise errors.hook_changed("shape", result.shape, node.shape)
            if result.dtype != node.dtype:
                raise errors.hook_changed("dtype", result.dtype, node.dtype)
            arrived = self.arithmetic.adjoint(result, None)
        return arrived

    def show(self, node: Node, g: Any) -> None:
        """Give the gradient of a node to those who want it: it may then no longer be changed."""
        if node.slot is None and not self.wanted:
            return
        receivers: list[Callable[[Value], None]] = [w.receive for w in self.wanted if w.node is node]
        if self.keeps and node.slot is not None:
            slot = node.slot
            receivers.append(lambda v: self.deposit(slot, v))
        for receive in receivers:
            receive(self.arithmetic.as_value(g, node))
            g.owned = False

    # ---- what is true of `.grad`: as it was, or invalid from the first change of it until all of them are done

    def touch(self, slot: Slot) -> None:
        """A gradient is about to change. One that an earlier pass left incomplete stays so until it is cleared."""
        if slot.progress is None or slot.progress.done:
            slot.progress = self.progress

    def deposit(self, slot: Slot, g: Value) -> None:
        """Add a gradient to what a slot holds."""
        self.touch(slot)
        slot.value = total(slot.value, g)

    def deliver(self, leaves: Sequence[tuple[Leaf, Adjoint | None]]) -> None:
        """The end of the way: into the slots of the leaves, or to whoever wants them."""
        for reached in self.slots:
            self.touch(reached)
        # Found before any is delivered: two values that one name has had share a slot, and the gradient of one may be its buffer.
        in_place = [
            self.keeps
            and g is not None
            and leaf.slot is not None
            and leaf.slot.value is not None
            and leaf.slot.value.array is g.value
            for leaf, g in leaves
        ]
        for (leaf, g), added in zip(leaves, in_place, strict=True):
            slot = leaf.slot
            if slot is None or added:
                continue
            own = self.arithmetic.own(leaf, g)
            if self.keeps:
                slot.value = total(slot.value, self.arithmetic.as_value(own, leaf))
            for w in self.wanted:
                if w.node is leaf:
                    w.receive(self.arithmetic.as_value(own, leaf))
        self.progress.done = True


def total(a: Value | None, b: Value) -> Value:
    """The sum of two gradients, computed at once unless it is recorded."""
    if a is None:
        return b
    with set_grad_enabled(a.requires_grad or b.requires_grad):
        found: Value = (Variable(a) + Variable(b))._value
    if not found.requires_grad:
        close(found)
    return found


def _run(roots: Sequence[Seed], gradients: Gradients, retain: bool) -> None:
    arithmetic = gradients.arithmetic
    with LOCK:
        if isinstance(arithmetic, InPlace) and len(roots) == 1 and roots[0][2] is None:
            jobs = begun(roots[0][0])
            if jobs:  # a root that is pending is computed together with its gradients
                arithmetic.jobs = jobs
                try:
                    _walk([jobs[0].begin()], roots, gradients, retain)
                    for job in reversed(jobs):
                        job.compute()
                except BaseException:
                    forget(jobs)
                    raise
                return
    for v, _, _ in roots:
        close(v)
    _walk([v.node for v, _, _ in roots], roots, gradients, retain)


def _walk(nodes: Sequence[Node], roots: Sequence[Seed], gradients: Gradients, retain: bool) -> None:
    """The pass itself, from the nodes of the roots."""
    arithmetic = gradients.arithmetic
    try:
        with set_grad_enabled(arithmetic.recorded):
            adjoints = [arithmetic.adjoint(g, mask) for _, g, mask in roots]
            reverse(list(zip(nodes, adjoints, strict=True)), gradients, retain)
    except BaseException as e:
        gradients.progress.reason = f"{type(e).__name__}: {e}"
        raise


def backward(roots: Sequence[Seed], retain: bool, recorded: bool) -> None:
    """Add the gradients of `roots` to the slots of all leaves below them."""
    with LOCK:  # two passes may meet in one leaf
        _run(roots, Gradients(Recorded() if recorded else InPlace(), None), retain)


def gradients_in(
    roots: Sequence[Seed], inputs: Sequence[Value], retain: bool, recorded: bool
) -> tuple[list[Value | None], bool]:
    """The gradients of `roots` in `inputs`, None for one that is zero or was not used; and whether any of them was used."""
    inside = any(v.array is None for v in inputs)  # of what is still to be computed, perhaps
    for v, _, _ in roots if inside or len(roots) > 1 else ():
        close(v)
    gradients = Gradients(Recorded() if recorded else InPlace(), [Wanted(v) for v in inputs])
    _run(roots, gradients, retain)
    return [w.value for w in gradients.wanted], bool(gradients.needed)


def running_here() -> bool:
    """Whether this thread is inside of a pass: what it is adding to must not change in a reader's hands."""
    return bool(LOCK._is_owned())  # type: ignore[attr-defined]  # of every RLock of CPython


def check_valid(slot: Slot) -> None:
    """Raise GraphError for a gradient whose pass did not come to its end."""
    if slot.progress is not None and not slot.progress.done and not running_here():
        raise errors.GraphError(
            f"this gradient is incomplete: the backward that was adding to it failed ({slot.progress.reason}). Clear it with "
            f"x.zero_grad() (or optimizer.zero_grad()) and run backward again."
        )

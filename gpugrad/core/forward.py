"""The forward pass: tangents from the inputs to the roots, lowest number first.

The mirror of the reverse pass, on the same tape, with the same partials, masks and arithmetics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..base.modes import set_grad_enabled
from .adjoints import Adjoint
from .arithmetic import InPlace
from .closing import close
from .nodes import Node, check_not_freed, check_nothing_lost, reachable
from .recorded import Recorded
from .value import Value
from .variable import Variable


def forward(
    roots: Sequence[Value], seeds: Mapping[Node, tuple[Value, Value | None]], recorded: bool
) -> list[Value | None]:
    """The tangents of `roots`, given those of some nodes below them, with their masks; None for one that is zero everywhere."""
    for v in roots:
        close(v)
    order = reachable([v.node for v in roots if v.node is not None])
    check_nothing_lost(order, seeds)
    last = {t: node for node in order for t in node.targets}  # who reads a tangent last
    kept = {v.node for v in roots}
    tangents = {
        node: Adjoint(Variable(value), None if mask is None else Variable(mask))
        for node, (value, mask) in seeds.items()
    }
    arithmetic = Recorded() if recorded else InPlace()
    with set_grad_enabled(recorded):
        for node in order:
            arrived = [tangents.get(t) if t is not None else None for t in node.targets]
            if node in tangents or not any(arrived):
                continue
            check_not_freed(node)
            found = node.jvp(arrived, arithmetic)
            if found is not None:
                tangents[node] = found
            del arrived
            for t in node.targets:
                if t is not None and last[t] is node and t not in kept:
                    tangents.pop(t, None)
    return [tangents[v.node].value._value if v.node in tangents else None for v in roots]

"""Large graphs made readable: stretches of the forward order drawn as one box each, which can be opened.

A stretch is what one module or one region has computed, or a part of equal length where there are too many of those. Since
each is contiguous in the forward order, what is left is a graph without cycles again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from .nodes import Node

LIMIT = 150  # nodes in one picture
PARTS = 24
FEW = 6  # boxes that are too few to be a picture


class Group(NamedTuple):
    """What a box of a folded graph stands for: the nodes in it, in forward order."""

    nodes: tuple[Node, ...]


class View(NamedTuple):
    """One picture of a folded graph: its nodes, some of them groups, and the view that it was opened from."""

    title: str
    nodes: list[Node]
    parent: int | None


def fold(nodes: Sequence[Node], limit: int = LIMIT) -> list[Node]:
    """The nodes of a graph with at most about `limit` of them left: as they are if there are no more."""
    if len(nodes) <= limit:
        return list(nodes)
    operations = [n for n in nodes if not n.is_variable]
    for stretches in (_by_module(operations), _by_region(operations)):
        if 1 < len(stretches) <= limit // 3:
            return _folded(nodes, stretches)
    size = -(-len(operations) // PARTS)
    parts = [operations[k : k + size] for k in range(0, len(operations), size)]
    return _folded(nodes, [(f"part {k} of {len(parts)}", p) for k, p in enumerate(parts, 1)])


def views(nodes: Sequence[Node], title: str, limit: int = LIMIT) -> list[View]:
    """The folded graph and, after it, the inside of each of its groups, folded again where it is large."""
    found = [View(title, fold(nodes, limit), None)]
    at = 0
    while at < len(found):
        groups = [n for n in found[at].nodes if isinstance(n.step, Group)]
        found += [View(n.op, fold(_with_inputs(n.step.nodes), limit), at) for n in groups]
        at += 1
    return found


Stretches = list[tuple[str, list[Node]]]


def _by_module(operations: list[Node]) -> Stretches:
    """By the first parts of the modules' paths: as many as it takes to see more than a few boxes."""
    deepest = max(n.module.count(".") + 1 for n in operations)
    stretches: Stretches = []
    for depth in range(1, deepest + 1):
        runs = itertools.groupby(operations, lambda n: ".".join(n.module.split(".")[:depth]))  # noqa: B023  # used at once
        stretches = [(path or "outside modules", list(run)) for path, run in runs]
        if len(stretches) >= FEW:
            break
    return stretches


def _by_region(operations: list[Node]) -> Stretches:
    runs = itertools.groupby(operations, lambda n: (n.region, n.region is None and n.number))
    return [(f"region {region}", list(run)) for (region, _), run in runs]


def _folded(nodes: Sequence[Node], stretches: Stretches) -> list[Node]:
    place = {n: k for k, (_, run) in enumerate(stretches) for n in run}  # of operations, then of what they compute
    users: dict[Node, set[int]] = {}
    for n in nodes:
        if n.is_variable and n.operands:
            place[n] = place[n.operation]
        elif not n.is_variable:
            for a in n.operands:
                if isinstance(a, Node):
                    users.setdefault(a, set()).add(place[n])
    inside: list[list[Node]] = [[] for _ in stretches]
    visible: list[list[Node]] = [[] for _ in stretches]  # by the stretch that makes them
    leaves: list[Node] = []
    for n in nodes:
        used = users.get(n, set())
        if not n.is_variable:
            inside[place[n]].append(n)
        elif not n.operands:  # a leaf, or what comes from outside
            (inside[next(iter(used))] if len(used) == 1 else leaves).append(n)
        else:
            inside[place[n]].append(n)
            if n.kind == "root" or used - {place[n]}:
                visible[place[n]].append(n)
    after: dict[Node, Node] = {n: n for n in leaves}
    result: list[Node] = list(leaves)
    for k, (title, run) in enumerate(stretches):
        if len(run) == 1:  # one operation is its own picture
            hidden = [n for n in inside[k] if n.is_variable and not n.operands]
            after |= {n: n for n in hidden}
            box = replace(
                run[0], operands=tuple(after.get(a, a) if isinstance(a, Node) else a for a in run[0].operands)
            )
            result += [*hidden, box]
        else:
            incoming = dict.fromkeys(after[a] for n in run for a in n.operands if isinstance(a, Node) and a in after)
            name = f"{title} ({len(run)} operations)"
            box = replace(
                run[-1],
                number=-1 - run[0].number,
                op=name,
                region=None,
                operands=tuple(incoming),
                step=Group(tuple(inside[k])),
            )
            result.append(box)
        for n in visible[k]:
            after[n] = replace(n, operands=(box,), region=box.region)
            result.append(after[n])
    return result


def _with_inputs(nodes: Sequence[Node]) -> list[Node]:
    """The nodes of a group and, before them, the variables that come from outside."""
    known = set(nodes)
    outside = [a for n in nodes for a in n.operands if isinstance(a, Node) and a not in known]
    new: dict[Node, Node] = {a: replace(a, operands=()) for a in outside}
    for n in nodes:
        new[n] = replace(n, operands=tuple(new[a] if isinstance(a, Node) else a for a in n.operands))
    return list(new.values())

"""Where the nodes of a picture go: in layers from the leaves down to the root, arrows around what is in their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]
ROW = 66.0  # between layers
GAP = 16.0  # between neighbours
SWEEPS = 12


class Extent(NamedTuple):
    """How far a node reaches from its place: to the left, to the right, and up and down."""

    left: float
    right: float
    half: float


class Layout(NamedTuple):
    """Places: of the nodes and, after them, of the points that edges pass through. trunks: by node, the points below it that its
    edges share, one in each layer. layers: of the nodes. width, height: of the whole."""

    places: list[Point]
    trunks: dict[int, list[int]]
    layers: list[int]
    width: float
    height: float

    def way(self, a: int, b: int) -> list[int]:
        """The points that the edge from node a to node b passes through, both ends included."""
        return [a, *self.trunks.get(a, ())[: self.layers[b] - self.layers[a] - 1], b]


def layout(extents: Sequence[Extent], edges: Sequence[tuple[int, int]]) -> Layout:
    """Lay out nodes, given in topological order, and edges between their indices.

    Every node is as far down as its users allow; an edge over several layers gets a point in each, placed like a node. The edges
    of one node share these points, so that they run together until they part.
    """
    layer = _layers(len(extents), edges)
    left = [e.left + GAP / 2 for e in extents]
    right = [e.right + GAP / 2 for e in extents]
    above: list[list[int]] = [[] for _ in extents]
    below: list[list[int]] = [[] for _ in extents]
    trunks: dict[int, list[int]] = {}
    for a, b in edges:
        trunk = trunks.setdefault(a, [])
        count = layer[b] - layer[a] - 1
        while len(trunk) < count:
            last = trunk[-1] if trunk else a
            below[last].append(len(layer))
            trunk.append(len(layer))
            layer.append(layer[last] + 1)
            left.append(GAP / 2)
            right.append(GAP / 2)
            above.append([last])
            below.append([])
        last = trunk[count - 1] if count else a
        above[b].append(last)
        below[last].append(b)
    rows: list[list[int]] = [[] for _ in range(max(layer, default=0) + 1)]
    for n, row in enumerate(layer):
        rows[row].append(n)
    x = [0.0] * len(layer)
    for members in rows:
        _spread(members, left, right, x, {n: 90.0 * k for k, n in enumerate(members)})
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for members in rows if sweep % 2 == 0 else reversed(rows):
            wish = {n: sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in members}
            _spread(members, left, right, x, wish)
    edge = min((x[n] - left[n] for n in range(len(x))), default=0.0)
    places = [(x[n] - edge + 12, 40.0 + ROW * layer[n]) for n in range(len(x))]
    width = max((places[n][0] + right[n] for n in range(len(x))), default=0.0) + 12
    return Layout(places, trunks, layer[: len(extents)], width, 80.0 + ROW * (len(rows) - 1))


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    layer = [0] * count
    users: list[list[int]] = [[] for _ in range(count)]
    for a, b in sorted(edges, key=lambda e: e[1]):
        layer[b] = max(layer[b], layer[a] + 1)
        users[a].append(b)
    for n in reversed(range(count)):
        if users[n]:
            layer[n] = min(layer[b] for b in users[n]) - 1
    return layer


def _spread(row: list[int], left: list[float], right: list[float], x: list[float], wish: dict[int, float]) -> None:
    """Give a row the places it wishes for, moved apart where they would touch, around the same middle."""
    row.sort(key=lambda n: wish[n])
    edge = -1e18
    for n in row:
        x[n] = max(wish[n], edge + left[n])
        edge = x[n] + right[n]
    shift = sum(x[n] - wish[n] for n in row) / len(row)
    for n in row:
        x[n] -= shift

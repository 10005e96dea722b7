"""The computational graph as a picture: variables are circles, operations are boxes, arrows follow the data.

Leaf, intermediate and root nodes differ in outline as well as in colour. Inside a region the single ops are shown.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import errors, tape
from .tensor import Tensor

CIRCLES = ("leaf", "data", "intermediate", "root")


@dataclass(frozen=True)
class Item:
    """A circle or a box. kind: "leaf", "data" (no gradient), "intermediate", "root" or "op"."""

    number: int
    kind: str
    label: str
    detail: str


@dataclass
class Graph:
    """Items, arrows between them, and the items of each region.

    >>> import gpugrad as gg
    >>> x, y = gg.tensor(2.0, requires_grad=True), gg.tensor(3.0, requires_grad=True)
    >>> print(gg.graph.build(gg.sin(x * y), {"x": x, "y": y}).to_mermaid())
    flowchart TD
        n0((x)):::leaf
        n1((y)):::leaf
        n2[multiply]:::op
        n3((z1)):::intermediate
        n4[sin]:::op
        n5((f)):::root
        n0 --> n2
        n1 --> n2
        n2 --> n3
        n3 --> n4
        n4 --> n5
        classDef leaf fill:#dbeafe,stroke:#1d4ed8,stroke-width:3px
        classDef data fill:#f3f4f6,stroke:#6b7280,stroke-dasharray:4
        classDef intermediate fill:#ffffff,stroke:#374151
        classDef root fill:#fde68a,stroke:#b45309,stroke-width:5px
        classDef op fill:#e5e7eb,stroke:#111827
    """

    items: list[Item] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    regions: list[list[int]] = field(default_factory=list)

    def add(self, kind: str, label: str, detail: str = "", inputs: tuple[int, ...] = ()) -> int:
        """A new item with arrows from `inputs`; returns its number."""
        number = len(self.items)
        self.items.append(Item(number, kind, label, detail))
        self.edges += [(i, number) for i in dict.fromkeys(inputs)]
        return number

    def to_mermaid(self) -> str:
        """Mermaid text, as GitHub and many editors show it."""
        lines = ["flowchart TD"]
        for i in self.items:
            text = "".join(c if c.isalnum() or c in "._" else f"#{ord(c)};" for c in i.label)
            shape = f"(({text}))" if i.kind in CIRCLES else f"[{text}]"
            lines.append(f"    n{i.number}{shape}:::{i.kind}")
        lines += [f"    n{a} --> n{b}" for a, b in self.edges]
        lines += [f"    classDef {kind} {style}" for kind, style in _MERMAID.items()]
        return "\n".join(lines)

    def to_svg(self) -> str:
        """A picture, laid out in layers from the leaves down to the root."""
        place, routes = _layout(self)
        points = [*place, *(p for route in routes for p in route)]
        width = max(x for x, _ in points) + 70
        height = max(y for _, y in points) + 50
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" font-family="sans-serif" font-size="12">',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z" fill="#374151"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        ]
        for (a, b), route in zip(self.edges, routes, strict=True):
            x, y = place[a][0], place[a][1] + _half(self.items[a])
            path = f"M{x:.1f},{y:.1f}"
            for px, py in [*route, (place[b][0], place[b][1] - _half(self.items[b]) - 2)]:
                middle = (y + py) / 2
                path += f" C{x:.1f},{middle:.1f} {px:.1f},{middle:.1f} {px:.1f},{py:.1f}"
                x, y = px, py
            out.append(f'<path d="{path}" fill="none" stroke="#374151" marker-end="url(#arrow)"/>')
        for i in self.items:
            x, y = place[i.number]
            label = html.escape(i.label)
            if i.kind in CIRCLES:
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_half(i):.0f}" {_SVG[i.kind]}/>')
            else:
                half = _box(i)
                out.append(
                    f'<rect x="{x - half:.1f}" y="{y - 12:.1f}" width="{2 * half:.1f}" height="24" {_SVG["op"]}/>'
                )
            out.append(
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{label}<title>{html.escape(i.detail)}</title></text>'
            )
        return "\n".join([*out, "</svg>"])


_MERMAID = {
    "leaf": "fill:#dbeafe,stroke:#1d4ed8,stroke-width:3px",
    "data": "fill:#f3f4f6,stroke:#6b7280,stroke-dasharray:4",
    "intermediate": "fill:#ffffff,stroke:#374151",
    "root": "fill:#fde68a,stroke:#b45309,stroke-width:5px",
    "op": "fill:#e5e7eb,stroke:#111827",
}
_SVG = {
    "leaf": 'fill="#dbeafe" stroke="#1d4ed8" stroke-width="3"',
    "data": 'fill="#f3f4f6" stroke="#6b7280" stroke-dasharray="4"',
    "intermediate": 'fill="white" stroke="#374151"',
    "root": 'fill="#fde68a" stroke="#b45309" stroke-width="5"',
    "op": 'fill="#e5e7eb" stroke="#111827"',
}


def _half(i: Item) -> float:
    return 12.0 if i.kind == "op" else max(15.0, 4.0 * len(i.label) + 4)


def _box(i: Item) -> float:
    return 4.0 * len(i.label) + 10


def build(t: Tensor, names: Mapping[str, Tensor] | None = None) -> Graph:
    """The graph recorded behind a tensor, before `backward` has freed it. `names` gives leaves their labels.

    Computes the tensor if it is pending. Raises GraphError for a freed graph.
    """
    value = t._value
    tape.close(value)
    graph = Graph()
    labels = {v._value.node: name for name, v in (names or {}).items() if v._value.node is not None}
    if value.node is None:
        graph.add("root", "f", f"{value.dtype} {value.shape}")
        return graph
    made: dict[object, int] = {}
    counts = {"x": 0, "d": 0, "z": 0}

    def name(letter: str) -> str:
        counts[letter] += 1
        return f"{letter}{counts[letter]}"

    def data(key: object, detail: str) -> int:
        if key not in made:
            made[key] = graph.add("data", name("d"), detail)
        return made[key]

    def variable(node: tape.Node, op: int) -> int:
        detail = f"{node.dtype} {node.shape}"
        return (
            graph.add("root", "f", detail, (op,))
            if node is value.node
            else graph.add("intermediate", name("z"), detail, (op,))
        )

    for node in tape.reachable([value.node]):
        if node.freed:
            raise errors.graph_freed(node.name)
        if isinstance(node, tape.Leaf):
            made[node] = graph.add("leaf", labels.get(node) or name("x"), f"{node.dtype} {node.shape}")
        elif isinstance(node, tape.Called):
            inputs = []
            for n, target in enumerate(node.targets):
                kept = node.inputs[n]
                key: object = target if target is not None else kept if kept is not None else (node, n)
                inputs.append(made[key] if key in made else data(key, f"{node.shapes[n]}"))
            made[node] = variable(node, graph.add("op", node.op.name, "", tuple(inputs)))
        elif isinstance(node, tape.Region):
            made[node] = _region(graph, node, made, data, variable, name)
    return graph


def _region(graph: Graph, node: tape.Region, made, data, variable, name) -> int:  # type: ignore[no-untyped-def]  # build's own
    """The single ops of a region, from its plan."""
    nodes, inputs, root = node.plan.symbols()
    first = len(graph.items)
    targets = dict(zip(node.wanted, node.targets, strict=True))
    at: dict[object, int] = {}
    for n, s in enumerate(inputs):
        key = targets.get(n) or node.saved.get(n) or (node, n)
        at[s] = made[key] if key in made else data(key, f"{node.dtypes[n]} {node.shapes[n]}")
    calls = node.plan.calls()
    result = at.get(root, -1)
    for s, (op, args) in zip(nodes, calls, strict=True):
        operands = tuple(at[nodes[a] if a >= 0 else inputs[~a]] for a in args if isinstance(a, int))
        box = graph.add("op", op.name, "", operands)
        if s is root and node.axes is None:
            result = at[s] = variable(node, box)
        else:
            result = at[s] = graph.add("intermediate", name("z"), f"{s.dtype} {node.extent}", (box,))
    if node.axes is not None:
        result = variable(node, graph.add("op", "sum", f"over axes {node.axes}", (result,)))
    graph.regions.append(list(range(first, len(graph.items))))
    return result


def _layout(graph: Graph) -> tuple[list[tuple[float, float]], list[list[tuple[float, float]]]]:
    """Places for all items, and for each edge the points it passes through.

    Every item is as far down as its users allow; an edge over several layers gets a point in each, placed like an item,
    so that it goes around what is in its way.
    """
    count = len(graph.items)
    layer = [0] * count
    for a, b in graph.edges:  # in topological order of b
        layer[b] = max(layer[b], layer[a] + 1)
    users: list[list[int]] = [[] for _ in range(count)]
    for a, b in graph.edges:
        users[a].append(b)
    for i in reversed(range(count)):
        if users[i]:
            layer[i] = min(layer[b] for b in users[i]) - 1
    wide = [(_box(i) if i.kind == "op" else _half(i)) + 8 for i in graph.items]
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    routes: list[list[int]] = []
    for a, b in graph.edges:
        route = []
        last = a
        for row in range(layer[a] + 1, layer[b] + 1):
            n = b
            if row < layer[b]:
                n = len(layer)
                layer.append(row)
                wide.append(6.0)
                above.append([])
                below.append([])
                route.append(n)
            above[n].append(last)
            below[last].append(n)
            last = n
        routes.append(route)
    rows: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for n, row in enumerate(layer):
        rows[row].append(n)
    x = [0.0] * len(layer)
    for members in rows:
        _spread(members, wide, x, {n: 80.0 * k for k, n in enumerate(members)})
    for sweep in range(12):
        near = above if sweep % 2 == 0 else below
        for members in rows if sweep % 2 == 0 else reversed(rows):
            wish = {n: sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in members}
            _spread(members, wide, x, wish)
    left = min(x[n] - wide[n] for n in range(len(x)))
    place = [(x[n] - left + 12, 40.0 + 62.0 * layer[n]) for n in range(len(x))]
    return place[:count], [[place[n] for n in route] for route in routes]


def _spread(row: list[int], wide: list[float], x: list[float], wish: dict[int, float]) -> None:
    """Give a row the places it wishes for, moved apart where they would touch, around the same middle."""
    row.sort(key=lambda n: wish[n])
    edge = -1e18
    for n in row:
        x[n] = max(wish[n], edge + wide[n])
        edge = x[n] + wide[n]
    shift = sum(x[n] - wish[n] for n in row) / len(row)
    for n in row:
        x[n] -= shift

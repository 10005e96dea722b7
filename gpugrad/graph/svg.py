"""A graph as an SVG picture: variables are circles, operations boxes, arrows follow the data, regions are shaded.

Leaf, intermediate and root nodes differ in outline as well as in colour: a thick outline, a thin one, a double one; data
that no gradient reaches is dashed.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence

from .layout import Extent, Layout, layout
from .nodes import Node, edges

RADIUS = 16.0
CHARACTER = 7.2  # of the font, at most
SHORT = 4  # characters that fit into a circle; longer names stand beside it
STYLES = {
    "leaf": 'fill="#dbeafe" stroke="#1d4ed8" stroke-width="3"',
    "data": 'fill="#f3f4f6" stroke="#6b7280" stroke-dasharray="4"',
    "intermediate": 'fill="white" stroke="#374151"',
    "root": 'fill="#fde68a" stroke="#b45309" stroke-width="2"',
    "operation": 'fill="#e5e7eb" stroke="#111827"',
}
SHADES = ("#ede9fe", "#dcfce7", "#ffedd5")


def style(node: Node) -> str:
    """The kind of a node as pictures tell them apart: "data" for a leaf that no gradient reaches."""
    return "data" if node.kind == "leaf" and not node.requires_grad else node.kind


def draw(nodes: Sequence[Node]) -> str:
    """The picture. Each node is a group with the class of its kind and its number as `data-node`."""
    index = {n: k for k, n in enumerate(nodes)}
    pairs = list(dict.fromkeys((index[e.source], index[e.target]) for e in edges(nodes)))
    extents = [_extent(n) for n in nodes]
    plan = layout(extents, pairs)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {plan.width:.0f} {plan.height:.0f}" width="{plan.width:.0f}" '
        f'height="{plan.height:.0f}" font-family="sans-serif" font-size="12">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#374151"/></marker></defs>',
        f'<rect width="{plan.width:.0f}" height="{plan.height:.0f}" fill="white"/>',
    ]
    pieces: dict[tuple[int, int], str] = {}  # of edges, by their ends; those that edges share once
    shades: dict[tuple[int, int], str] = {}
    longest: dict[int, int] = {}  # by node, the farthest target
    for a, b in pairs:
        longest[a] = max(longest.get(a, b), b, key=plan.layers.__getitem__)
    for a, b in longest.items():
        for piece in itertools.pairwise(plan.way(a, b)):
            pieces[piece] = _curve(plan, extents, *piece)
    for a, b in pairs:
        way = plan.trunks[a][: plan.layers[b] - plan.layers[a] - 1]
        piece = (way[-1] if way else a), b
        pieces[piece] = _curve(plan, extents, *piece)
        region = nodes[a].region
        if region is not None and region == nodes[b].region:
            shades |= dict.fromkeys(itertools.pairwise([a, *way, b]), SHADES[region % len(SHADES)])
    out += [f'<path d="{pieces[p]}" fill="none" stroke="{shade}" stroke-width="26"/>' for p, shade in shades.items()]
    out += _shading(nodes, extents, plan.places)
    for (_, end), path in pieces.items():
        arrow = ' marker-end="url(#arrow)"' if end < len(nodes) else ""
        out.append(f'<path d="{path}" fill="none" stroke="#374151"{arrow}/>')
    for n, (x, y), e in zip(nodes, plan.places, extents, strict=False):  # then come points of edges
        out.append(f'<g class="node {style(n)}" data-node="{n.number}"><title>{html.escape(describe(n))}</title>')
        label = html.escape(n.label)
        if n.is_variable:
            out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS:.0f}" {STYLES[style(n)]}/>')
            if n.kind == "root":
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS - 4:.0f}" fill="none" stroke="#b45309"/>')
        else:
            out.append(f'<rect x="{x - e.left:.1f}" y="{y - 12:.1f}" width="{2 * e.left:.1f}" height="24" rx="2" {STYLES["operation"]}/>')  # fmt: skip
        if n.is_variable and len(n.label) > SHORT:
            out.append(f'<text x="{x + RADIUS + 4:.1f}" y="{y + 4:.1f}">{label}</text></g>')
        else:
            out.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{label}</text></g>')
    return "\n".join([*out, "</svg>"])


def describe(n: Node) -> str:
    """A node in one line."""
    what = f"{n.kind}{'' if n.requires_grad else ', no gradient'}: {n.dtype.name} {n.shape} on {n.device}"
    return what if n.region is None else f"{what}, region {n.region}"


def _extent(n: Node) -> Extent:
    text = CHARACTER * len(n.label)
    if not n.is_variable:
        return Extent(text / 2 + 8, text / 2 + 8, 12.0)
    return Extent(RADIUS + 2, RADIUS + (text + 6 if len(n.label) > SHORT else 2), RADIUS)


def _curve(plan: Layout, extents: Sequence[Extent], a: int, b: int) -> str:
    """From the lower edge of a node, or from a point, to the upper edge of another."""
    (x, y), (px, py) = plan.places[a], plan.places[b]
    y += extents[a].half if a < len(extents) else 0
    py -= extents[b].half + 2 if b < len(extents) else 0
    middle = (y + py) / 2
    return f"M{x:.1f},{y:.1f} C{x:.1f},{middle:.1f} {px:.1f},{middle:.1f} {px:.1f},{py:.1f}"


def _shading(nodes: Sequence[Node], extents: Sequence[Extent], places: Sequence[tuple[float, float]]) -> list[str]:
    """The region's shade under its nodes; under its edges it is a wide stroke."""
    return [
        f'<rect x="{x - e.left - 5:.1f}" y="{y - 23:.1f}" width="{e.left + e.right + 10:.1f}" height="46" rx="12" '
        f'fill="{SHADES[n.region % len(SHADES)]}"/>'
        for n, (x, y), e in zip(nodes, places, extents, strict=False)
        if n.region is not None
    ]

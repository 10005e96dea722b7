"""A graph as text for other programs to draw: Mermaid, and the DOT language of Graphviz."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .nodes import Node, edges
from .svg import style

MERMAID = {
    "leaf": "fill:#dbeafe,stroke:#1d4ed8,stroke-width:3px",
    "data": "fill:#f3f4f6,stroke:#6b7280,stroke-dasharray:4",
    "intermediate": "fill:#ffffff,stroke:#374151",
    "root": "fill:#fde68a,stroke:#b45309,stroke-width:5px",
    "operation": "fill:#e5e7eb,stroke:#111827",
}
DOT = {
    "leaf": 'shape=circle, style=filled, fillcolor="#dbeafe", color="#1d4ed8", penwidth=3',
    "data": 'shape=circle, style="filled,dashed", fillcolor="#f3f4f6", color="#6b7280"',
    "intermediate": "shape=circle",
    "root": 'shape=doublecircle, style=filled, fillcolor="#fde68a", color="#b45309"',
    "operation": 'shape=box, style=filled, fillcolor="#e5e7eb"',
}


def mermaid(nodes: Sequence[Node]) -> str:
    """Mermaid text, as GitHub and many editors show it."""
    lines = ["flowchart TD"]
    for n in nodes:
        # letters beyond ASCII are not known to all readers of Mermaid, and "end" is a word of its own in any place
        text = "".join(c if c.isascii() and (c.isalnum() or c in "._") else f"#{ord(c)};" for c in n.label)
        text = re.sub(r"\bend\b", "#101;nd", text)
        lines.append(f"    n{n.number}{f'(({text}))' if n.is_variable else f'[{text}]'}:::{style(n)}")
    lines += [f"    n{e.source.number} --> n{e.target.number}" for e in edges(nodes)]
    used = {style(n) for n in nodes}
    lines += [f"    classDef {kind} {how}" for kind, how in MERMAID.items() if kind in used]
    return "\n".join(lines)


def dot(nodes: Sequence[Node]) -> str:
    """DOT text; the nodes of a region are a cluster."""
    lines = ["digraph gpugrad {", "    rankdir=TB"]
    regions: dict[int | None, list[str]] = {}
    for n in nodes:
        text = (
            n.label.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        )  # Graphviz reads entities of HTML
        regions.setdefault(n.region, []).append(f'n{n.number} [label="{text}", {DOT[style(n)]}]')
    for region, members in sorted(regions.items(), key=lambda r: -1 if r[0] is None else r[0]):
        if region is None:
            lines += [f"    {m}" for m in members]
        else:
            lines += [f"    subgraph cluster_{region} {{", '        style=filled; color="#ede9fe"', *(f"        {m}" for m in members), "    }"]  # fmt: skip
    lines += [f"    n{e.source.number} -> n{e.target.number}" for e in edges(nodes)]
    return "\n".join([*lines, "}"])

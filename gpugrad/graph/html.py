"""A graph as one self-contained HTML file: choose a node to see its numbers, play the forward and the backward pass."""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Sequence
from typing import Any

from ..base.modes import no_grad
from ..core.closing import close
from ..core.variable import Variable
from ..plans.notation import readable, text
from .fold import Group, View, views
from .formulas import differentiable, local_gradient, sentence, shown
from .nodes import Node
from .steps import gradients, ones, pull, values
from .svg import describe, draw

ELEMENTS = 4_000_000  # as many are computed for a page without being asked


@functools.cache
def _template() -> str:
    return importlib.resources.files(__package__).joinpath("page.html").read_text("utf-8")


def page(nodes: Sequence[Node], with_values: bool | None) -> str:
    """The page. with_values: compute values and gradients; if None, unless the variables have very many elements."""
    size = sum(math.prod(n.shape) for n in nodes if n.is_variable)
    computed = size <= ELEMENTS if with_values is None else with_values
    root = nodes[-1]
    pictures = views(nodes, f"graph of {root.label}")
    found: dict[str, Any] = {str(n.number): _about(n) for n in nodes}
    if computed:
        _numbers(nodes, found)
    note = (
        ""
        if computed
        else f"Values were not computed: the variables have {size:,} elements. to_html(values=True) computes them."
    )
    data = {
        "root": root.label,
        "nodes": found,
        "views": [_view(k, pictures) for k in range(len(pictures))],
        "note": note,
    }
    # "<" would end the script element, wherever it stands
    return _template().replace("/*DATA*/", json.dumps(data, ensure_ascii=True).replace("<", "\\u003c"))


def _view(here: int, every: Sequence[View]) -> dict[str, Any]:
    v = every[here]
    opens = [w for w, other in enumerate(every) if other.parent == here]
    groups = [n for n in v.nodes if isinstance(n.step, Group)]
    return {
        "title": readable(v.title), "parent": v.parent, "svg": draw(v.nodes), "order": [n.number for n in v.nodes],
        "groups": {str(n.number): {"view": w, "title": n.label} for n, w in zip(groups, opens, strict=True)},
    }  # fmt: skip


def _about(n: Node) -> dict[str, Any]:
    about = {"title": n.label, "kind": n.kind, "what": describe(n), "module": readable(n.module)}
    if n.is_variable:
        about["sentence"] = sentence(n)
    return about


def _host(v: Variable) -> str:
    return shown(v.device.backend.to_host(close(v._value)))


@no_grad()
def _numbers(nodes: Sequence[Node], found: dict[str, Any]) -> None:
    """Values, gradients, and for each operation its operands' local gradients and what is sent to them."""
    known = values(nodes)
    for n, v in known.items():
        if v is not None:
            found[str(n.number)]["value"] = _host(v)
    if not nodes[-1].requires_grad:
        return
    arrived, sent = gradients(nodes, known)
    for n, g in arrived.items():
        found[str(n.number)]["upstream"] = _host(g.value)
    for n in nodes:
        if n.kind not in ("intermediate", "root") or n not in arrived:
            continue
        edges = []
        for k, a in differentiable(n):
            local = pull(n, k, ones(n), known) if n.operation.step.op is not None else None
            product = sent[n, k]
            edges.append({
                "operand": a.label, "symbol": local_gradient(n, k, text, readable), "local": _host(local.value) if local else "",
                "product": _host(product.value) if product else "0",
            })  # fmt: skip
        found[str(n.number)]["by"] = n.operation.number
        found[str(n.operation.number)] |= {
            "edges": edges,
            "upstream": found[str(n.number)]["upstream"],
            "result": n.label,
        }

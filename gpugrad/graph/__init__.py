"""The computational graph, to look at: what a tensor was computed from, as data and as pictures.

>>> import gpugrad as gg
>>> x, y = gg.tensor(2.0, requires_grad=True, name="x"), gg.tensor(3.0, requires_grad=True, name="y")
>>> for node in gg.sin(x * y).graph():
...     print(node.kind, node.label)
leaf x
leaf y
operation multiply
intermediate z1
operation sin
root f
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from ..base import errors
from ..core.closing import close
from ..core.value import Value
from . import html, record, svg, text
from .fold import fold as folded
from .nodes import Edge, Node, edges


class Graph:
    """A computational graph: nodes in forward order, operands before what uses them, the root last.

    Make one with `Tensor.graph`. It is a picture of one moment: variables keep the values that somebody still had, so it holds
    memory while it lives. Nothing is recorded for it that `backward` does not need.

    Raises GraphError for nodes of which one comes before its operand.

    >>> import gpugrad as gg
    >>> x, y = gg.tensor(2.0, requires_grad=True, name="x"), gg.tensor(3.0, requires_grad=True, name="y")
    >>> g = gg.sin(x * y).graph()
    >>> [(e.source.label, e.target.label, e.position) for e in g.edges][:2]
    [('x', 'multiply', 0), ('y', 'multiply', 1)]
    >>> [n.label for n in reversed(g)]
    ['f', 'sin', 'z1', 'multiply', 'y', 'x']
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        place = {n: k for k, n in enumerate(self.nodes)}
        for k, n in enumerate(self.nodes):
            for a in n.operands:
                if isinstance(a, Node) and place.get(a, k) >= k:
                    raise errors.GraphError(
                        f"not a computational graph: {a.label} is an operand of {n.label}, but comes after it."
                    )

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        """Forward: operands before what uses them."""
        return iter(self.nodes)

    def __reversed__(self) -> Iterator[Node]:
        """In reverse topological order, as backward goes: the root first."""
        return reversed(self.nodes)

    @property
    def root(self) -> Node:
        """The node that `backward` starts from (the one node of a graph that is a single leaf)."""
        return self.nodes[-1]

    @property
    def variables(self) -> list[Node]:
        """The circles."""
        return [n for n in self.nodes if n.is_variable]

    @property
    def operations(self) -> list[Node]:
        """The boxes."""
        return [n for n in self.nodes if not n.is_variable]

    @property
    def leaves(self) -> list[Node]:
        """The variables with no inputs, those that no gradient reaches among them."""
        return [n for n in self.nodes if n.kind == "leaf"]

    @property
    def edges(self) -> list[Edge]:
        """The arrows, by target. A variable that an operation takes twice has two, with their positions."""
        return edges(self.nodes)

    def __getitem__(self, name: str) -> Node:
        """The variable of a name. Raises KeyError if there is none."""
        for n in self.nodes:
            if n.is_variable and n.name == name:
                return n
        raise KeyError(f"no variable is called {name!r}: there are {', '.join(n.label for n in self.variables[:20])}")

    def to_mermaid(self) -> str:
        """Mermaid text, as GitHub and many editors show it.

        >>> import gpugrad as gg
        >>> x, y = gg.tensor(2.0, requires_grad=True, name="x"), gg.tensor(3.0, requires_grad=True, name="y")
        >>> print(gg.sin(x * y).graph().to_mermaid())
        flowchart TD
            n0((x)):::leaf
            n1((y)):::leaf
            n2[multiply]:::operation
            n3((z1)):::intermediate
            n4[sin]:::operation
            n5((f)):::root
            n0 --> n2
            n1 --> n2
            n2 --> n3
            n3 --> n4
            n4 --> n5
            classDef leaf fill:#dbeafe,stroke:#1d4ed8,stroke-width:3px
            classDef intermediate fill:#ffffff,stroke:#374151
            classDef root fill:#fde68a,stroke:#b45309,stroke-width:5px
            classDef operation fill:#e5e7eb,stroke:#111827
        """
        return text.mermaid(self.nodes)

    def to_dot(self) -> str:
        """DOT text, for Graphviz.

        >>> import gpugrad as gg
        >>> print(gg.tensor(2.0, name="x").graph().to_dot())
        digraph gpugrad {
            rankdir=TB
            n0 [label="x", shape=circle, style="filled,dashed", fillcolor="#f3f4f6", color="#6b7280"]
        }
        """
        return text.dot(self.nodes)

    def to_svg(self, fold: bool = True) -> str:
        """A picture in layers from the leaves down to the root, with regions shaded.

        fold: draw what one module or one region has computed as one box, if there are more than 150 nodes.

        >>> import gpugrad as gg
        >>> gg.tensor(2.0, name="x").graph().to_svg()[:4]
        '<svg'
        """
        return svg.draw(folded(self.nodes) if fold else self.nodes)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def to_html(self, values: bool | None = None) -> str:
        """One self-contained page: a chosen node shows its value, the gradient that arrives, and for each operand local gradient,
        upstream gradient and their product; a slider plays the forward and the backward pass.

        values: whether these numbers are computed; if not given, unless the variables have more than 4 million elements. The root's
        gradient is 1, for every element of it. A graph of more than 150 nodes is folded; boxes can be opened.

        >>> import gpugrad as gg
        >>> gg.tensor(2.0, name="x").graph().to_html()[:15]
        '<!DOCTYPE html>'
        """
        return html.page(self.nodes, values)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, in the format that its name ends in: svg, html, dot, mmd (Mermaid) or png.

        Raises InputError for another ending, and ImportError for a png where there is neither CairoSVG nor rsvg-convert.

        >>> import gpugrad as gg, tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "graph.svg")
        >>> gg.tensor(2.0, name="x").graph().save(path)
        >>> os.path.getsize(path) > 0
        True
        """
        formats: dict[str, Callable[[], str]] = {
            ".svg": self.to_svg,
            ".html": self.to_html,
            ".dot": self.to_dot,
            ".mmd": self.to_mermaid,
        }
        ending = os.path.splitext(path)[1].lower()
        if ending == ".png":
            content = _png(self.to_svg())
        elif ending in formats:
            content = formats[ending]().encode()
        else:
            raise errors.InputError(
                f"cannot tell the format of {os.fspath(path)!r}: its name must end in one of {', '.join([*formats, '.png'])}."
            )
        with open(path, "wb") as f:
            f.write(content)

    def __repr__(self) -> str:
        def count(n: int, word: str, plural: str) -> str:
            return f"{n} {word if n == 1 else plural}"

        regions = len({n.region for n in self.nodes} - {None})
        parts = [
            count(len(self.operations), "operation", "operations"),
            f"{count(len(self.variables), 'variable', 'variables')} ({count(len(self.leaves), 'leaf', 'leaves')})",
            count(regions, "region", "regions"),
        ]
        return f"Graph of {self.root.label}: {', '.join(parts)}"


def _png(picture: str) -> bytes:
    """An SVG picture as a PNG, by whichever converter is installed."""
    try:
        import cairosvg
    except ImportError:
        command = shutil.which("rsvg-convert")
        if command is None:
            raise ImportError(
                "writing a PNG needs a converter of SVG: pip install cairosvg, or install rsvg-convert (librsvg); or write a .svg."
            ) from None
        done = subprocess.run([command, "--unlimited"], input=picture.encode(), capture_output=True, check=True)
        return done.stdout
    return bytes(cairosvg.svg2png(bytestring=picture.encode()))


class Name(Protocol):
    """What holds a value: a tensor."""

    _value: Value


def build(t: Name, names: Mapping[str, Name] | None = None) -> Graph:
    """The graph recorded behind a tensor: what `Tensor.graph` returns.

    Computes the tensor if it is pending. names: tensors by the name that they shall have here. Raises GraphError for a graph
    that backward has freed.

    >>> import gpugrad as gg
    >>> len(gg.graph.build(gg.ones(2)))
    1
    """
    close(t._value)
    return Graph(record.nodes(t._value, {name: v._value for name, v in (names or {}).items()}))


__all__ = ["Edge", "Graph", "Node", "build"]


def __dir__() -> list[str]:
    return __all__

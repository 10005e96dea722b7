"""The chain rule of one result with respect to one variable, written out path by path: `gg.explain`."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .base import errors
from .base.index import normalize_index
from .base.modes import no_grad
from .core.adjoints import Adjoint as Arrived
from .core.reverse import gradients_in
from .core.variable import Variable
from .graph import Graph, Node, build
from .graph.formulas import definition, differentiable, local_gradient, shown
from .graph.steps import Values, ones, pull, values
from .plans.notation import latex, latex_name, number, readable, text
from .tensor import Tensor

VARIABLES = 40  # that the text defines, and as many leaves; the others are counted
STEPS = 16  # of a path that the text shows; the others are counted

T = TypeVar("T")


@dataclass(frozen=True)
class Factor:
    """One step of a path: the local gradient of a variable in one operand of its operation.

    symbol: in the names of the graph; a structural op's is a linear map, D0 being its derivative in operand 0. latex: the same. value:
    the local gradient, if it is one number.
    """

    variable: str
    operand: str
    symbol: str
    latex: str
    value: float | None


@dataclass(frozen=True)
class Path:
    """One way from the result down to the variable: its factors, and what it contributes to the gradient."""

    factors: tuple[Factor, ...]
    contribution: Tensor


class Explanation:
    """What `gg.explain` returns: print it, or take it apart.

    The text and the LaTeX show at most 40 variables and 16 steps of a path, and say how many they leave out; everything is in
    the attributes. In both, a control character in a name is written as Python does, \\x00; in attributes names are as they were given.

    result, variable: their names. definitions: what each variable on the way is, in the names of the others. values: theirs, where
    they are known. paths: from the result to the variable. count: how many there are in all. gradient: what `backward`
    computes. total: the sum over `paths`, which is the gradient if none was left out. formula: the derivative as one line of
    Python in the names of the variables; None if a path was left out or leads through a structural op.
    """

    def __init__(
        self, graph: Graph, variable: Node, known: Values, paths: Sequence[Path], count: int, gradient: Tensor,
        formula: str | None, element: Any,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.result = graph.root.name
        self.variable = variable.name
        self.paths = tuple(paths)
        self.count = count
        self.gradient = gradient
        self.formula = formula
        computed = [n for n in reversed(graph.variables) if n.kind != "leaf"]
        self.definitions = {n.name: definition(n, text, readable) for n in computed}
        self.values = {n.name: Tensor(v._value) for n in (*computed, *graph.leaves) if (v := known[n]) is not None}
        self._computed = computed
        self._element = element

    @property
    def total(self) -> Tensor:
        """The sum of the contributions of the paths that are written out."""
        total = self.gradient * 0
        for p in self.paths:
            total = total + p.contribution
        return total

    def __str__(self) -> str:
        return f"{self.given()}\n\n{self.chain_rule()}"

    def given(self) -> str:
        """What every variable is, and its value: the first part of the text."""
        names = _cut([*self.definitions], VARIABLES)
        lines = [f"{readable(n)} = {self.definitions[n]}{self._value(n)}" if n else _left_out(k) for n, k in names]
        names = _cut([n.name for n in self.graph.leaves if n.name in self.values], VARIABLES)
        lines += [f"{readable(n)}{self._value(n)}" if n else _left_out(k) for n, k in names]
        return "\n".join(lines)

    def chain_rule(self) -> str:
        """The paths and their sum: the second part of the text."""
        head = f"∂{readable(self.result)}/∂{readable(self.variable)}"
        lines = []
        if not self.paths:
            return f"{head} = 0: no path leads from {readable(self.result)} to {readable(self.variable)}"
        if self.count > 1:
            lines.append(f"{head} is the sum over {self.count} paths")
            if self.count > len(self.paths):
                lines[-1] += f", of which {len(self.paths)} are written out"
        for k, path in enumerate(self.paths, 1):
            first = f"{head} =" if self.count == 1 else f"  {k}:"
            symbols = [f"∂{readable(f.variable)}/∂{readable(f.operand)}" for f in path.factors]
            steps = [" · ".join(_steps(symbols)), _product([f.symbol for f in path.factors], " · ", STEPS)]
            factors = [f.value for f in path.factors]
            if len(factors) > 1 and all(v is not None for v in factors):
                steps.append(" · ".join(_steps([f"({number(v)})" if v and v < 0 else number(v) for v in factors])))
            steps.append(self._number(path.contribution))
            lines.append(f"{first} {steps[0]}")
            lines += [f"{' ' * (len(first) - 1)}= {s}" for s in dict.fromkeys(steps[1:])]
        if self.count > 1 and self.count == len(self.paths):
            lines.append(f"{head} = {self._number(self.total)}")
        elif self.count > 1:
            lines.append(
                f"{head} = {self._number(self.gradient)} (by backward; the paths above sum to {self._number(self.total)})"
            )
        return "\n".join(lines)

    __repr__ = __str__

    def _value(self, name: str) -> str:
        return f" = {shown(self.values[name]._host())}" if name in self.values else ""

    def _number(self, t: Tensor) -> str:
        host = t._host()
        return shown(host if self._element is None else host[self._element])

    def to_latex(self) -> str:
        """The definitions and the sum over paths, as an `aligned` environment.

        >>> import gpugrad as gg
        >>> x = gg.tensor(2.0, requires_grad=True, name="x")
        >>> print(gg.explain(gg.sin(x), x).to_latex())
        \\begin{aligned}
        f &= \\sin\\left(x\\right) \\\\
        \\frac{\\partial f}{\\partial x} &= \\frac{\\partial f}{\\partial x} \\\\
        &= \\cos\\left(x\\right) \\\\
        &= -0.416147
        \\end{aligned}
        """
        lines = [
            f"{latex_name(n.name)} &= {definition(n, latex, latex_name)}"
            if n
            else rf"&\;\;\vdots \quad \text{{({k} more variables)}}"
            for n, k in _cut(self._computed, VARIABLES)
        ]
        chains = [
            r" \cdot ".join(_steps([_derivative(f.variable, f.operand) for f in p.factors], r"\underset{%d}{\cdots}"))
            for p in self.paths
        ]
        products = [_product([f.latex for f in p.factors], r" \cdot ", STEPS, latex=True) for p in self.paths]
        more = [r"\cdots"] if self.count > len(self.paths) else []
        lines.append(f"{_derivative(self.result, self.variable)} &= {' + '.join([*chains, *more]) or '0'}")
        if self.paths:
            lines.append(f"&= {' + '.join([*products, *more])}")
            value = self._number(self.gradient)
            lines.append(f"&= {value}" if " " not in value else rf"&= \text{{{value}}}")
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def _derivative(a: str, b: str) -> str:
    return rf"\frac{{\partial {latex_name(a)}}}{{\partial {latex_name(b)}}}"


def _cut(items: Sequence[T], most: int) -> list[tuple[T | None, int]]:
    """The items in pairs with 0; of more than `most` the first and the last, and between them None with how many there are."""
    left = len(items) - most
    if left <= 1:  # saying that one is left out takes as much room as the one
        return [(a, 0) for a in items]
    return [*((a, 0) for a in items[: most // 2]), (None, left), *((a, 0) for a in items[most // 2 - most :])]


def _left_out(count: int) -> str:
    return f"... {count} more variables, not shown ..."


def _steps(factors: Sequence[str], dots: str = "... %d more steps ...") -> list[str]:
    return [dots % k if f is None else f for f, k in _cut(factors, STEPS)]


def _product(factors: Sequence[str], sign: str, most: int | None = None, latex: bool = False) -> str:
    """Factors multiplied: 1 is left out, 0 is all there is. most: how many are written, if not all of them."""
    if "0" in factors:
        return "0"
    left = [f for f in factors if f not in ("1", "-1")]
    minus = "-" if factors.count("-1") % 2 else ""
    if not left:
        return f"{minus}1"
    brackets = (r"\left(%s\right)" if latex else "(%s)") if minus or len(left) > 1 else "%s"
    grouped = [
        brackets % f if " + " in f or " - " in f or f.startswith("-") or (not latex and " / " in f) else f for f in left
    ]
    if most:
        grouped = _steps(grouped, r"\underset{%d}{\cdots}" if latex else "... %d more factors ...")
    return minus + sign.join(grouped)


@no_grad()
def explain(
    y: Tensor,
    x: Tensor,
    gradient: Any = None,
    names: Mapping[str, Tensor] | None = None,
    element: Any = None,
    max_paths: int = 64,
) -> Explanation:
    """The chain rule of y with respect to x, path by path, in symbols and in numbers; it prints itself, and has `to_latex()`.

    y: a tensor with a graph, not yet freed by `backward`; with many elements it needs `gradient`, the upstream gradient of its
    shape. x: a tensor that it was computed from. names: tensors by the name that they shall have. element: the index of one
    element of x, for arrays: numbers are those of that element instead of summaries. max_paths: how many paths are
    written out; that there are more is said. The text shows at most 40 variables and 16 steps of each path; `definitions`
    and `paths` have all of them.

    Every factor is the local gradient that the op's row declares. Through a structural op it is a linear map, written D0 op(...)
    for the derivative in operand 0; the contribution of a path is composed of the vjps along it. Gradient hooks are called, as by
    `backward`; the paths know nothing of what they change.

    Raises GraphError for a y without a graph, or an x that is not in it; DTypeError for what is not a tensor.

    >>> import gpugrad as gg
    >>> x, y = gg.tensor(2.0, requires_grad=True, name="x"), gg.tensor(3.0, requires_grad=True, name="y")
    >>> gg.explain(gg.sin(x * y), x)
    f = sin(z1) = -0.279415
    z1 = x * y = 6
    x = 2
    y = 3
    <BLANKLINE>
    ∂f/∂x = ∂f/∂z1 · ∂z1/∂x
          = cos(z1) · y
          = 0.96017 · 3
          = 2.88051
    """
    for t in (y, x):
        if not isinstance(t, Tensor):
            raise errors.bad_type("explain", f"expected two tensors, explain(y, x), not {type(t).__name__!r}.")
    seed = y._seed(gradient)
    if not x.requires_grad:
        raise errors.hook_without_grad("explain")
    if not isinstance(max_paths, int) or max_paths < 1:
        raise errors.bad_value("explain", f"max_paths must be a positive integer, not {max_paths!r}.")
    graph = build(y, names)
    target = next((n for n in graph.variables if n.value is x._value), None)
    if target is None:
        raise errors.GraphError(
            f"explain: {x.name or 'x'} is not in the graph of the result: it was not used to compute it, or was written to since (the "
            f"graph has the value that was used)."
        )
    if element is not None:
        element = normalize_index(element)
        if np.empty(x.shape, bool)[element].ndim:
            raise errors.bad_shape(
                "explain", f"element {element} does not name one element of a tensor of shape {x.shape}."
            )
    known = values(graph.nodes)
    (found,), _ = gradients_in([(y._value, seed, None)], [x._value], True, False)
    total = Tensor(found) if found is not None else x.detach() * 0
    counts = _counts(graph, target)
    chains: list[Chain] = []
    paths: list[Path] = []
    factor = functools.cache(lambda result, which: _factor(result, which, known))  # paths share most of their steps
    for chain, arrived in _paths(graph.root, target, counts, known, Arrived(Variable(seed))):
        if len(paths) == max_paths:
            break
        chains.append(chain)
        contribution = Tensor(arrived.value._value) if arrived is not None else x.detach() * 0
        paths.append(Path(tuple(factor(result, which) for result, which in chain), contribution))
    formula = None
    if counts[graph.root] == len(paths) and all(
        n.kind == "leaf" or n.operation.step.op is not None for n in graph.variables
    ):
        formula = " + ".join(map(_python, chains)) or "0"
    return Explanation(graph, target, known, paths, counts[graph.root], total, formula, element)


Chain = list[tuple[Node, int]]


def _counts(graph: Graph, target: Node) -> dict[Node, int]:
    """How many paths lead from each variable to the target."""
    counts: dict[Node, int] = {}
    for n in graph.variables:
        counts[n] = 1 if n is target else sum(counts[a] for _, a in differentiable(n))
    return counts


def _paths(
    root: Node, target: Node, counts: dict[Node, int], known: Values, seed: Arrived
) -> Iterator[tuple[Chain, Arrived | None]]:
    """Every path with the gradient that it brings to the target; None for one through an op whose derivative is 0."""
    # Of each variable on the way: the chain down to it, the last step first, as pairs (step, the chain above it).
    stack: list[tuple[Node, Any, Arrived | None]] = [(root, None, seed)]
    while stack:
        n, way, arrived = stack.pop()
        if n is target:
            chain: Chain = []
            while way is not None:
                step, way = way
                chain.append(step)
            yield chain[::-1], arrived
            continue
        for k, a in reversed(differentiable(n)):
            if counts[a]:
                stack.append((a, ((n, k), way), None if arrived is None else pull(n, k, arrived, known)))


def _factor(result: Node, which: int, known: Values) -> Factor:
    operand = result.operation.operands[which]
    assert isinstance(operand, Node)
    local = None
    if all(math.prod(n.shape) == 1 for n in (operand, result)):
        sent = pull(result, which, ones(result), known)
        local = 0.0 if sent is None else float(Tensor(sent.value._value).item())
    symbol, formula = local_gradient(result, which, text, readable), local_gradient(result, which, latex, latex_name)
    return Factor(result.name, operand.name, symbol, formula, local)


def _python(chain: Chain) -> str:
    """The product of a path's local gradients as Python, every number with all of its digits."""
    return _product(
        [local_gradient(result, which, functools.partial(text, digits=None), readable) for result, which in chain],
        " * ",
    )

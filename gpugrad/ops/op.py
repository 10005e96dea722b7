"""What an op is, and the one place where a call of an op is dispatched.

An elementwise op is one row of `gpugrad.ops.elementwise`: all that is said about it. This module
gives the rows their class, their decorators and their dtype rules (NumPy's own, asked of its ufuncs). A partial is
written in the op's inputs and its output and is evaluated by whoever asks: on symbols when a plan is derived, on
numbers in a test. It knows nothing about gradients that arrive, shapes, devices or modes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import errors
from ..base.shapes import DType, broadcast, is_float

Types = tuple[Any, ...]  # of dtypes, and of float and int for Python numbers, which adopt their partner's (NEP 50)


class Masked(NamedTuple):
    """A partial of `factor` where `mask` is true, and an element that did not take part elsewhere."""

    mask: Any
    factor: Any


class Loop(NamedTuple):
    """The dtypes in which an op computes: what its operands are cast to, and what comes out.

    plain: operands of the types it was asked for need no conversion. carries: the result can carry a gradient.
    """

    inputs: tuple[DType, ...]
    output: DType
    plain: bool = False
    carries: bool = False


class Primitive:
    """What both tables hold: an op that whoever knows one of its operands interprets."""

    name: str

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The one place where a call of an op is dispatched: to the first operand that interprets ops, else to NumPy."""
        for a in args:
            if type(a) is not np.ndarray:
                interpret = getattr(a, "__gpugrad_bind__", None)
                if interpret is not None:
                    return interpret(self, args, params)
        return self.on_arrays(args, params)

    def on_arrays(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The value on numbers and NumPy arrays: what the other interpreters are tested against."""
        raise NotImplementedError


class Op(Primitive):
    """One elementwise operation, declared once.

    What it is.
    name, params: as users write it; aliases: other names that NumPy or CuPy have for it; defaults: of parameters that may be left out.
    public: a function of the library. home: the package of its function if not `gpugrad` itself, such as "special". c: its text in C and CUDA, `{0}` being the first operand.
    partials: a function of (*inputs, output) that returns one partial per input; None where there is no derivative.
    body: for a compound op, the same value written in other ops. numpy: a function taking (*inputs, out).
    types: the ufunc whose dtype rules hold, or a function of the operand types. casts: it does nothing but convert.
    constants: the operands, by number, in which no derivative is known: they may not require grad.
    exact: correctly rounded, so that its bits do not depend on the memory layout of its operands.

    How it is written.
    infix: the sign between its operands, or before the only one, in Python; binding: how tightly that sign binds.
    latex: its name in LaTeX, or all of it: `#1` the first operand, `(#1)` the same in brackets if it needs them.

    How it is tested.
    domain: the interval(s) on which it is sampled; edges: points to test where it is smooth; kinks: where it is not.
    reference, jax: who else computes it, and who else knows its derivative: a dotted name, "scipy.special.erf", or an expression in the
    parameters; the functions of its name in NumPy and JAX if not given. An empty jax: it does not.
    tolerance: the error, in units of the dtype's eps, that it may have near a zero of its own that is no zero of an operand.
    naturals: operands that may not be negative where all are integers. any_zero: which of the two zeros it returns is not said.
    """

    def __init__(
        self,
        name: str,
        params: Sequence[str],
        *,
        c: str = "",
        doc: str = "",
        partials: Callable[..., Any] | None = None,
        body: Callable[..., Any] | None = None,
        numpy: Callable[..., Any] | None = None,
        types: Any = None,
        exact: bool = False,
        domain: tuple[Any, ...] = (-3.0, 3.0),
        edges: tuple[Any, ...] = (),
        kinks: tuple[Any, ...] = (),
        public: bool = True,
        home: str = "",
        constants: tuple[int, ...] = (),
        casts: bool = False,
        defaults: Mapping[str, float] | None = None,
        aliases: tuple[str, ...] = (),
        infix: str = "",
        binding: int = 0,
        latex: str = "",
        reference: str = "",
        jax: str | None = None,
        tolerance: float = 0.0,
        naturals: tuple[int, ...] = (),
        any_zero: bool = False,
    ) -> None:
        self.name = name
        self.params = tuple(params)
        self.arity = len(self.params)
        self.c = c
        self.doc = doc
        self.rule = partials
        self.body = body
        self.numpy = numpy
        self.types = types if types is not None else numpy
        self.exact = exact
        self.domains = domain if isinstance(domain[0], tuple) else (domain,) * self.arity
        self.edges = edges
        self.kinks = kinks
        self.public = public and not home
        self.home = home
        self.constants = constants
        self.alone = not c and body is None and not casts  # without C text it is not fused
        self.casts = casts
        self.defaults = dict(defaults or {})
        self.aliases = aliases
        self.infix = infix
        self.binding = binding
        self.latex = latex
        self.reference = reference or f"numpy.{name}"
        self.jax = f"jax.numpy.{name}" if jax is None else jax
        self.tolerance = tolerance
        self.naturals = naturals
        self.any_zero = any_zero
        self.is_ufunc = isinstance(numpy, np.ufunc)
        self.loops: dict[Types, Loop] = {}

    @property
    def differentiable(self) -> bool:
        return self.rule is not None or self.body is not None

    def partials(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: give a compound op partials of its own, where its composition would lose precision."""
        self.rule = rule
        return rule

    def on_arrays(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return evaluate(self, args)

    def loop(self, types: Types) -> Loop:
        """The dtypes in which it computes on operands of these types, by NumPy's rules; DTypeError if it does not."""
        found = self.loops.get(types)
        if found is None:
            rule: Any = self.types
            known = _with_bfloat16(types)
            try:
                found = _ufunc_loop(rule, known) if isinstance(rule, np.ufunc) else rule(*known)
            except TypeError as e:
                raise errors.no_loop(self.name, types, str(e).split("\n")[0] if "safely" in str(e) else "") from None
            plain = all(
                is_float(d) if t is float else isinstance(t, np.dtype) and t == d
                for t, d in zip(types, found.inputs, strict=True)
            )
            found = found._replace(
                plain=plain and not self.alone, carries=self.differentiable and is_float(found.output)
            )
            self.loops[types] = found
        return found

    def takes(self, dtype: DType) -> bool:
        """Whether it computes on operands that are all of this dtype."""
        try:
            self.loop((dtype,) * self.arity)
        except errors.DTypeError:
            return False
        return True

    def check_constants(self, args: Sequence[Any]) -> None:
        """Raise GraphError if an operand in which there is no derivative requires grad."""
        for n in self.constants:
            if getattr(args[n], "requires_grad", False):
                raise errors.no_derivative(self.name, self.params[n])

    def conditions(self, dtype: DType) -> list[bool]:
        """Which of its operands are taken as booleans, though all are given in this dtype."""
        return [d.kind == "b" and dtype.kind != "b" for d in self.loop((dtype,) * self.arity).inputs]

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> Any:
        raise TypeError("an op is not data: refer to it by name")


def _with_bfloat16(types: Types) -> Types:
    """Python numbers adopt bfloat16, too: NumPy does not know it as a float, and would make float32 of the two."""
    brain = next((t for t in types if isinstance(t, np.dtype) and t.name == "bfloat16"), None)
    return types if brain is None else tuple(brain if t in (float, int) else t for t in types)


def _ufunc_loop(ufunc: np.ufunc, types: Types) -> Loop:
    # A Python bool is not weak: it promotes as a boolean array does.
    dtypes = ufunc.resolve_dtypes((*(np.dtype(bool) if t is bool else t for t in types), None))
    return Loop(tuple(dtypes[:-1]), dtypes[-1])


def promoted(*types: Any) -> DType:
    """NumPy's common dtype of dtypes and Python scalar types."""
    return np.result_type(*(t if isinstance(t, np.dtype) else t(0) for t in types))


def select_types(*types: Any) -> Loop:
    """Types of ``where(c, a, b)``: c is taken as a boolean, a and b meet in their common dtype."""
    common = promoted(*types[1:])
    return Loop((np.dtype(bool), common, common), common)


def same_float(*types: Any) -> Loop:
    """Types of an op made of other ops: floats stay, integers become what ``np.exp`` makes of them."""
    common = promoted(*types)
    if not is_float(common):
        common = _ufunc_loop(np.exp, (common,)).output
    return Loop((common,) * len(types), common)


def same_common(*types: Any) -> Loop:
    """Types of an op that computes in the common dtype of its operands, whatever that is."""
    common = promoted(*types)
    return Loop((common,) * len(types), common)


def evaluate(op: Op, args: Sequence[Any]) -> Any:
    """The value of an op on numbers and NumPy arrays: what the other interpreters are tested against."""
    run: Any = op.numpy
    if op.body is not None:
        return op.body(*args)
    if op.is_ufunc:
        return run(*args)
    arrays = [a if type(a) is np.ndarray else np.asarray(a) for a in args]
    loop = op.loop(tuple([a.dtype for a in arrays]))
    out = np.empty(broadcast(op.name, *[a.shape for a in arrays]), loop.output)
    run(*[a.astype(d, copy=False) for a, d in zip(arrays, loop.inputs, strict=True)], out)
    return out


TABLE: dict[str, Op] = {}  # those of the library itself
NAMES: dict[str, Op] = {}  # those of the table, by every name that they have
SPECIAL: dict[
    str, Op
] = {}  # the special functions, by their names in SciPy; what it has not as a function begins with _


def _register(op: Op) -> Op:
    if op.home:
        SPECIAL.update(dict.fromkeys((op.name, *op.aliases), op))
        return op
    TABLE[op.name] = op
    NAMES.update(dict.fromkeys((op.name, *op.aliases), op))
    return op


def elementwise(c: str, *, numpy: Any = None, **row: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare an op by its partials, a function of (*inputs, output)."""

    def declare(rule: Callable[..., Any]) -> Op:
        name = rule.__name__.rstrip("_")
        params = list(inspect.signature(rule).parameters)[:-1]
        impl = numpy if numpy is not None else getattr(np, name)
        return _register(Op(name, params, c=c, doc=_doc(rule), partials=rule, numpy=impl, **row))

    return declare


def compound(*, types: Any = same_float, **row: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare an op by a composition of others. Inside it 16-bit floats stay float32."""

    def declare(body: Callable[..., Any]) -> Op:
        params = list(inspect.signature(body).parameters)
        return _register(Op(body.__name__, params, doc=_doc(body), body=body, types=types, **row))

    return declare


def without_derivative(name: str, c: str, doc: str, arity: int = 1, **row: Any) -> Op:
    """Declare an op whose result is a boolean, an integer or piecewise of no interest to gradients."""
    params = ("x",) if arity == 1 else ("a", "b")
    row.setdefault("numpy", getattr(np, name))
    row.setdefault("exact", True)
    return _register(Op(name, params, c=c, doc=doc, **row))


def _doc(function: Callable[..., Any]) -> str:
    return inspect.cleandoc(function.__doc__ or "")


def _cast(x: Any, out: Any) -> None:
    np.copyto(out, x, casting="unsafe")


@functools.cache
def cast(dtype: DType) -> Op:
    """The op that converts to `dtype`; its partial is 1 (the walk casts a gradient back to its input's dtype)."""
    return Op(
        f"astype_{dtype.name}",
        ("x",),
        c=f"gg_cast<{dtype.name}>({{0}})",
        doc=f"Convert to {dtype.name}.",
        partials=(lambda x, y: (1,)) if is_float(dtype) else None,
        numpy=_cast,
        types=lambda t: Loop((t if isinstance(t, np.dtype) else np.dtype(t),), dtype),
        exact=True,
        public=False,
        casts=True,
    )

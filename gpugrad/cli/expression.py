"""Expressions such as "sin(x*y)" read and computed safely: for the command line.

Python's own grammar is parsed (`ast`), and only numbers, the given variables, operators and functions of the op table are taken;
nothing is ever evaluated as Python. A mistake is shown with a caret under it.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base import errors
from ..functions.face import PUBLIC
from ..ops.op import NAMES, Op, evaluate
from ..tensor import Tensor

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
_MODULES = ("np", "numpy", "math", "gg")  # what people write before the name of a function
_TWO = {"max": "maximum", "min": "minimum"}
LENGTH = 2000  # characters of an expression
DEPTH = 100  # levels of nesting
# The ops of real numbers by name, and by the sign that Python has for them.
FUNCTIONS: dict[str, Op] = {n: op for n, op in NAMES.items() if op.public and op.takes(np.dtype(float))}
_SIGNS: dict[str, Op] = {op.infix: op for op in FUNCTIONS.values() if op.infix and op.arity == 2}
_PREFIXES: dict[str, Op] = {op.infix: op for op in FUNCTIONS.values() if op.infix and op.arity == 1}
_GRAMMAR: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.UAdd: "+", ast.USub: "-",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def compute(text: str, variables: Mapping[str, Tensor]) -> Any:
    """The value of an expression in the given variables: a tensor, or a number where it uses none of them.

    Raises InputError, with the place of the mistake, for anything but numbers, variables, operators and functions of the table.

    >>> import gpugrad as gg
    >>> from gpugrad.cli.expression import compute
    >>> compute("sin(x) + 2*x", {"x": gg.tensor(0.5)})
    tensor(1.47942554, device='cpu')
    """
    return _Reader(text, variables).read()


def check_name(name: str) -> str:
    """Why a variable cannot have this name; "" if it can."""
    if not (name.isascii() and name.isidentifier()) or name.startswith("__"):
        return f"{name!r} is not a name: use ASCII letters, digits and _"
    if name in FUNCTIONS:
        return f"{name!r} is a function; call the variable something else"
    return ""


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, Tensor]) -> None:
        self.text = text
        self.variables = variables
        self.shift = len(text) - len(text.lstrip())  # what is parsed begins there

    def error(self, place: int, message: str) -> errors.InputError:
        return errors.bad_expression(self.text, place, message)

    def read(self) -> Any:
        text = self.text
        if len(text) > LENGTH:
            raise errors.bad_expression(
                f"{text[:40]}...", 0, f"the expression has {len(text)} characters; at most {LENGTH} are read"
            )
        odd = next((k for k, c in enumerate(text) if not " " <= c <= "~"), None)
        if odd is not None:
            raise self.error(
                odd, f"{text[odd]!r} is not an ASCII character: write names in ASCII, * for times, ** for powers"
            )
        if not text.strip():
            raise self.error(0, "the expression is empty")
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as e:
            offset = max((e.offset or 1) - 1, 0)
            raise self.error(min(offset + self.shift, len(text)), f"this cannot be read: {e.msg}") from None
        except (RecursionError, MemoryError, ValueError):
            raise self.error(0, "the expression is nested too deeply") from None
        return self.value(tree.body, 0)

    def at(self, node: Any, message: str) -> errors.InputError:
        return self.error(node.col_offset + self.shift, message)

    def value(self, node: ast.expr, depth: int) -> Any:
        if depth > DEPTH:
            raise self.at(node, f"nested too deeply: at most {DEPTH} levels")
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
                raise self.at(node, f"{node.value!r} is not a real number")
            try:
                return float(node.value)
            except OverflowError:
                raise self.at(node, "this number is too large") from None
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _MODULES:
            return self.name(ast.Name(node.attr, lineno=node.lineno, col_offset=node.col_offset))
        if isinstance(node, ast.UnaryOp):
            return self.apply(node, node.op, [self.value(node.operand, depth + 1)])
        if isinstance(node, ast.BinOp):
            chain = []  # a + b + c + ... is nested to the left, and no deeper for being long
            left: ast.expr = node
            while isinstance(left, ast.BinOp):
                chain.append(left)
                left = left.left
            result = self.value(left, depth + 1)
            for n in reversed(chain):
                result = self.apply(n, n.op, [result, self.value(n.right, depth + 1)])
            return result
        if isinstance(node, ast.Compare):
            if len(node.ops) > 1:
                raise self.at(node, "comparisons cannot be chained: write where(a < b, ...)")
            sides = [self.value(a, depth + 1) for a in (node.left, node.comparators[0])]
            return self.apply(node, node.ops[0], sides)
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        kind = type(node).__name__
        raise self.at(node, f"only numbers, variables, operators and functions are read here, not {kind.lower()}")

    def name(self, node: ast.Name) -> Any:
        if node.id in self.variables:
            return self.variables[node.id]
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        if node.id in FUNCTIONS or node.id in _TWO:
            raise self.at(node, f"{node.id} is a function: give it its arguments, {node.id}(...)")
        raise self.at(
            node, f"{node.id!r} has no value{self.close(node.id, self.variables)}; give it one: {node.id}=1.0"
        )

    @staticmethod
    def close(name: str, known: Any) -> str:
        near = difflib.get_close_matches(name, known, 1)
        return f" (did you mean {near[0]!r}?)" if near else ""

    def apply(self, node: Any, sign: Any, operands: list[Any]) -> Any:
        op = (_SIGNS if len(operands) == 2 else _PREFIXES).get(_GRAMMAR.get(type(sign), ""))
        if type(sign) is ast.BitXor:
            raise self.at(node, "powers are written **: x**2")
        if op is None:
            raise self.at(node, f"the operator {type(sign).__name__.lower()} is not one for real numbers")
        return self.run(node, op, operands)

    def call(self, node: ast.Call, depth: int) -> Any:
        func = node.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in _MODULES:
            name = func.attr
        elif isinstance(func, ast.Name):
            name = func.id
        else:
            raise self.at(node, "only functions of the op table can be called, by name")
        name = _TWO.get(name, name)
        if name not in FUNCTIONS:
            raise self.at(node, f"there is no function {name!r}{self.close(name, FUNCTIONS)}")
        if node.keywords:
            raise self.at(node, f"{name} takes its arguments by position here")
        op = FUNCTIONS[name]
        if not op.arity - len(op.defaults) <= len(node.args) <= op.arity:
            raise self.at(node, f"{name} takes {op.arity} argument{'s' if op.arity > 1 else ''}, not {len(node.args)}")
        return self.run(node, op, [self.value(a, depth + 1) for a in node.args])

    def run(self, node: Any, op: Op, args: list[Any]) -> Any:
        try:
            if all(isinstance(a, float) for a in args) and len(args) == op.arity:
                with np.errstate(all="ignore"):  # numbers among themselves are a number
                    return float(evaluate(op, [np.float64(a) for a in args]))
            return PUBLIC[op.name](*args)
        except (errors.GpugradError, TypeError) as e:
            raise self.at(node, str(e).split("\n")[0]) from None

"""Expressions on the command line: what they compute, and that nothing but numbers and the op table is ever run."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.__main__ import main
from gpugrad.cli.expression import FUNCTIONS, compute


def at(text: str, **values: float) -> float:
    f = compute(text, {k: gg.tensor(v, requires_grad=True) for k, v in values.items()})
    return f if isinstance(f, float) else f.item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sin(x*y)", math.sin(6)), ("-x**2 + 1", -3), ("(x + y) % 2 // 1", 1), ("2**-1 * x", 1), ("where(x > y, x, y)", 3),
        (" +x ", 2), ("leaky_relu(-x)", -0.02), ("elu(x, 0.5)", 2), ("clip(x, 0, 1)", 1), ("abs(-x)", 2), ("maximum(x, y) == y", 1),
        ("1/3", 1 / 3), ("9**9**9", math.inf), ("1/0", math.inf), ("gelu(x) - x", 2 * 0.9772498680518208 - 2), ("1e400", math.inf),
        ("+".join(["x"] * 900), 1800),
    ],
)  # fmt: skip
def test_values(text: str, expected: float) -> None:
    assert at(text, x=2.0, y=3.0) == pytest.approx(expected, abs=1e-12)


ATTACKS = [
    "x.__class__", "x.__class__.__bases__[0].__subclasses__()", "__import__('os').system('true')", "[a for a in x]", "(lambda: 1)()",
    "x[0]", "'a' * x", "f'{x}'", "x if x else y", "x and y", "not x", "x & y", "x @ y", "x := 3", "x; y", "x = 3", "import os", "{x}", "(x, y)", "...",
    "*x", "sin(*x)", "sin(x=1)", "sin(x)(y)", "sin.x", "sin", "sin()", "sin(x, y)", "where(x)", "gg", "open", "q", "__builtins__", "True", "None",
    "1j * x", "b'a'", "", "   ", "((((x", "x))", "x**", "x < y < 2", "bitwise_and(x, y)", "é * x", "ｘ", "x²", "x\ny", "x\0y", "x\ty", "0x", "1_", "x 2",
    "9" * 1500, "-" * 1500 + "x", "(" * 300 + "x" + ")" * 300, "sin(" * 150 + "x" + ")" * 150, "x" * 3000, "x**" * 400 + "x", "await x", "yield x",
]  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS, ids=[f"{n}-{a[:12]!r}" for n, a in enumerate(ATTACKS)])
def test_attacks_end_in_one_clear_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(gg.errors.InputError) as caught:
        at(text, x=2.0, y=3.0)
    message, shown, caret = (
        str(caught.value).split("\n") if "\n" not in text else str(caught.value).replace("x\ny", "x y").split("\n")
    )
    assert message
    assert len(message) < 200
    assert len(shown) < 100
    assert caret.strip() == "^"
    assert len(caret) <= len(shown) + 1
    assert main(["explain", "--", text, "x=2", "y=3"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("gpugrad explain: ")
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_the_caret_points_at_the_mistake() -> None:
    for text, place in (("sin(x*q)", 6), ("  1 + sinn(x)", 6), ("x + é", 4), ("x+" * 300 + "q", None)):
        with pytest.raises(gg.errors.InputError) as caught:
            at(text, x=1.0)
        _, shown, caret = str(caught.value).split("\n")
        assert place is None or len(caret) - 5 == place
        assert shown[len(caret) - 1] in "qsé"
    with pytest.raises(gg.errors.InputError, match="did you mean 'maximum'"):
        at("maximun(x, x)", x=1.0)


def test_every_function_can_be_called() -> None:
    for name, op in FUNCTIONS.items():
        f = compute(f"{name}({', '.join(['x'] * op.arity)})", {"x": gg.tensor(0.5)})
        expected = getattr(gg, name)(*[gg.tensor(0.5)] * op.arity)
        np.testing.assert_array_equal(f.numpy(), expected.numpy())


def test_constants_modules_and_two_arguments() -> None:
    x = {"x": gg.tensor(2.0)}
    for text, value in (
        ("pi", math.pi), ("e", math.e), ("np.sin(x)", math.sin(2)), ("np.pi * x", 2 * math.pi), ("math.sqrt(x)", math.sqrt(2)),
        ("max(x, 3)", 3), ("min(x, 3)", 2), ("numpy.maximum(x, 1)", 2), ("e", math.e),
    ):  # fmt: skip
        found = compute(text, x)
        assert float(found) == pytest.approx(value), text
    assert compute("e", {"e": gg.tensor(5.0)}).item() == 5  # a variable of the user's comes first
    with pytest.raises(gg.errors.InputError, match=r"powers are written \*\*"):
        compute("x^2", x)
    with pytest.raises(gg.errors.InputError, match="only functions of the op table"):
        compute("os.system(x)", x)

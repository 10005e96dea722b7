"""Large expressions are explained in about a second and a few screens, which say what they leave out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import ROOT

import gpugrad as gg
from gpugrad.__main__ import main
from gpugrad.graph import formulas, steps

PRODUCT = "*".join("x" * 1000)


def test_a_product_of_a_thousand_factors(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pulls: list[int] = []
    pull = steps.pull
    monkeypatch.setattr("gpugrad.explanation.pull", lambda *a: (pulls.append(1), pull(*a))[1])
    assert main(["explain", PRODUCT, "x=1.001"]) == 0
    shown = capsys.readouterr().out
    assert len(shown) < 10_000
    assert shown.count("\n") < 80
    assert len(pulls) < 6000  # about one per arrow of the graph, not one per step of a path
    assert "... 959 more variables, not shown ..." in shown
    assert "the sum over 1000 paths, of which 4 are written out" in shown
    assert "... 983 more steps ..." in shown
    assert "... 983 more factors ..." in shown
    assert f"= {1000 * 1.001**999:.6g} (by backward; " in shown
    assert "the graph has 1999 nodes, too many to print: `gpugrad graph`" in shown


def test_an_expression_of_many_variables(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"a{k}" for k in range(300)]
    assert main(["explain", "+".join(names), *(f"{n}=1" for n in names), "b=2"]) == 0
    shown = capsys.readouterr().out
    assert len(shown) < 10_000
    assert "∂f/∂a0 = " in shown
    assert "∂f/∂a2 = 1 (by backward; give it first to see its paths)" in shown
    assert "... 260 more variables, not shown ..." in shown


def test_small_ones_are_written_out_whole(capsys: pytest.CaptureFixture[str]) -> None:
    names = "abcdeghij"
    assert main(["explain", "*".join(names), *(f"{n}=2" for n in names), "q=1"]) == 0
    shown = capsys.readouterr().out
    assert "not shown" not in shown
    assert "flowchart TD" in shown
    assert shown.count("∂f/∂z7 · ") >= 7
    assert "∂f/∂j = 256 (by backward; give it first to see its paths)" in shown
    assert main(["explain", "*".join(names) + "*floor(k)", *(f"{n}=2" for n in names), "k=2.5"]) == 0
    assert "∂f/∂k = 0 (by backward" in capsys.readouterr().out
    assert "∂f/∂q = 0: the expression does not depend on q" in shown


def test_an_explanation_has_everything_that_its_text_leaves_out() -> None:
    x = gg.tensor(1.001, dtype=float, requires_grad=True, name="x")
    y = x
    for _ in range(99):
        y = gg.sin(y)
    e = gg.explain(y, x)
    assert [len(p.factors) for p in e.paths] == [99]
    assert len(e.definitions) == 99
    assert e.formula is not None
    assert e.formula.count("cos(") == 99
    assert "... 59 more variables, not shown ..." in str(e)
    assert "... 83 more steps ..." in str(e)
    assert str(e).count("\n") < 50
    latex = e.to_latex()
    assert r"\vdots \quad \text{(59 more variables)}" in latex
    assert latex.count(r"\underset{83}{\cdots}") == 2
    assert latex.count("{") == latex.count("}")
    assert len(latex) < 10_000


def test_one_more_than_the_limit_is_shown() -> None:
    """Saying that one is left out would take its place."""
    x = gg.tensor(1.001, dtype=float, requires_grad=True, name="x")
    y = x
    for _ in range(17):
        y = gg.sin(y)
    assert "more" not in str(gg.explain(y, x))
    assert "... 2 more steps ..." in str(gg.explain(gg.sin(y), x))


def test_an_op_of_many_operands() -> None:
    parts = [gg.tensor(float(k), requires_grad=True, name=f"p{k}") for k in range(500)]
    e = gg.explain(gg.stack(parts).sum(), parts[3])
    assert len(str(e)) < 5000
    assert f"... {500 - formulas.OPERANDS} more ..." in str(e)
    assert r"\text{... 484 more ...}" in e.to_latex()


@pytest.mark.parametrize("coding", ["ascii", "utf-8"])
def test_the_installed_command_prints_on_any_terminal(coding: str) -> None:
    """It calls `main`, and is not run as a module."""
    code = "import sys; from gpugrad.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "explain", "sin(x)", "x=2"],
        env={**os.environ, "PYTHONIOENCODING": coding}, capture_output=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"cos(x)" in done.stdout


def test_a_control_character_in_an_expression_does_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("sin(x)\x1b[2J", "x +\ty", "x\ud800"):
        assert main(["explain", text, "x=2", "y=3"]) == 1
        shown, caret = capsys.readouterr().err.rstrip("\n").split("\n")[-2:]
        assert shown.isprintable()
        assert shown[caret.index("^")] == "?"

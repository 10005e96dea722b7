"""docs/coming-from.md: each line is run, here and in the library it comes from, where that is installed; both give the same numbers."""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from typing import Any

import numpy as np
import pytest
from helpers import ROOT

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
PACKAGES = {"HIPS autograd": "autograd", "PyTorch": "torch", "JAX": "jax", "MyGrad": "mygrad"}


def sections() -> dict[str, tuple[str, str, list[tuple[str, str]]]]:
    """Of each library: what is run before, there and here, and the pairs of lines."""
    found = {}
    for part in PAGE.split("\n## ")[1:]:
        title = part.split("\n", 1)[0]
        theirs, ours = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
        lines = re.findall(r"^\| `(.*)` \| `(.*)` \|$", part, re.MULTILINE)
        found[title] = theirs, ours, lines
    return found


SECTIONS = sections()
LINES = [(title, k) for title, (_, _, lines) in SECTIONS.items() for k in range(len(lines))]


def run(before: str, line: str) -> Any:
    """The value of the last expression of a line."""
    names: dict[str, Any] = {}
    exec(before, names)
    *first, last = ast.parse(line).body
    exec(compile(ast.Module(first, []), "line", "exec"), names)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), "line", "eval"), names)


def numbers(value: Any) -> list[np.ndarray]:
    if isinstance(value, (tuple, list)):
        return [n for v in value for n in numbers(v)]
    if hasattr(value, "detach"):
        value = value.detach()
    return [np.asarray(value, float)]


def test_the_page_has_what_people_come_from() -> None:
    assert list(SECTIONS) == list(PACKAGES)
    assert len(LINES) > 40


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize(("title", "k"), LINES)
def test_lines(title: str, k: int) -> None:
    theirs, ours, lines = SECTIONS[title]
    left, right = lines[k]
    found = numbers(run(ours, right))
    assert all(np.isfinite(n).all() for n in found)
    if importlib.util.find_spec(PACKAGES[title]) is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs
            expected = numbers(run(theirs, left))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)

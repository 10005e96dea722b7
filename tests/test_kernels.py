"""The C text of every row, compiled with the system's C++ compiler and compared with NumPy."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import FLOAT_OPS, OPS, same_bits, sample

from gpugrad.ops import Op, evaluate

KERNELS = Path(__file__).parents[1] / "kernels"
COMPILER = shutil.which(os.environ.get("CXX") or "c++") or shutil.which("g++") or shutil.which("clang++")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler on this machine")

ROWS = [o for o in OPS if o.c]
TYPES = {"float32": "float", "float64": "double", "int64": "long long", "bool": "bool"}


def dtypes(op: Op) -> list[str]:
    return ["float32", "float64"] if op in FLOAT_OPS else ["int64"]


def loop(op: Op, dtype: str) -> tuple[list[str], str]:
    given = [np.dtype(bool) if op.name == "where" and n == 0 else np.dtype(dtype) for n in range(op.arity)]
    found = op.loop(tuple(given))
    return [d.name for d in found.inputs], found.output.name


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("kernels")
    lines = ['#include "prelude.h"', 'extern "C" {']
    for op in ROWS:
        for dtype in dtypes(op):
            inputs, output = loop(op, dtype)
            arguments = "".join(f"const {TYPES[t]}* a{n}, " for n, t in enumerate(inputs))
            loads = " ".join(f"const {TYPES[t]} x{n} = a{n}[i];" for n, t in enumerate(inputs))
            text = op.c.format(*(f"x{n}" for n in range(op.arity)))
            lines.append(
                f"void {op.name}_{dtype}({arguments}{TYPES[output]}* y, long n) "
                f"{{ for (long i = 0; i < n; ++i) {{ {loads} y[i] = {text}; }} }}"
            )
    source = folder / "rows.cpp"
    source.write_text("\n".join([*lines, "}"]))
    target = folder / "rows.so"
    flags = ["-O2", "-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Werror", f"-I{KERNELS}"]
    subprocess.run([COMPILER, *flags, str(source), "-o", str(target)], check=True, timeout=120)
    return ctypes.CDLL(str(target))


SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, 1e30, -1e30, 1e-40]


@pytest.mark.parametrize("op", ROWS, ids=lambda o: o.name)
def test_the_text_of_a_row_computes_what_numpy_does(library: ctypes.CDLL, op: Op, rng: np.random.Generator) -> None:
    for dtype in dtypes(op):
        inputs, output = loop(op, dtype)
        args = sample(op, rng, (200,), dtype if op in FLOAT_OPS else np.int64)
        if op in FLOAT_OPS and op.name != "where":
            grid = np.array(np.meshgrid(*[SPECIAL] * op.arity)).reshape(op.arity, -1)
            args = [np.concatenate([a, g.astype(dtype)]) for a, g in zip(args, grid, strict=True)]
        args = [np.ascontiguousarray(a, t) for a, t in zip(args, inputs, strict=True)]
        got = np.empty(len(args[0]), output)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*args, got)]
        getattr(library, f"{op.name}_{dtype}")(*pointers, ctypes.c_long(len(got)))
        with np.errstate(all="ignore"):
            expected = evaluate(op, args)
        if op.exact or output == "bool":
            # which zero maximum and minimum return for two zeros is not defined
            assert (
                same_bits(got + 0, expected + 0)
                if op.name in ("maximum", "minimum", "fmax", "fmin")
                else same_bits(got, expected)
            )
        else:
            eps = np.finfo(output).eps
            near_zero = 2 * eps if op.name.startswith("logaddexp") else np.finfo(output).tiny  # a sum that may cancel
            np.testing.assert_allclose(got, expected, rtol=4 * eps, atol=near_zero)

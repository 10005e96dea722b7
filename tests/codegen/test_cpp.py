"""The C++ text of a plan: how it reads, and what the compiler makes of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from helpers import call

import gpugrad as gg
from gpugrad.backends.cpu import compiler
from gpugrad.codegen import cpp as host
from gpugrad.plans.plan import plans

pytestmark = pytest.mark.usefixtures("native")


def kernel_of(t: gg.Tensor) -> str:
    found = gg.core.structure.structure([t._value], gg.core.closing.close)
    return host.kernel(plans.get(found).forward)


def test_the_text_of_a_plan_reads_like_the_formula() -> None:
    gg.config.fuse = 64
    x = gg.ones(3, dtype="float32")
    text = kernel_of(gg.tanh(x * 3) * x)
    assert re.findall(r"const float32 t\d = (.*);", text) == ["x0 * float32(s0)", "gg_tanh(t0)", "t1 * x0"]
    assert text == kernel_of(gg.tanh(x * 5) * x)  # a number is an argument
    whole = host.complete(text)
    assert whole == host.complete(text)
    assert "GG_LIBM_1(tanh, tanh)" in whole
    assert "cosh" not in whole


def test_half_precision_is_computed_in_float32_and_rounded_once_per_op() -> None:
    gg.config.fuse = 64
    for dtype in ("float16", ml_dtypes.bfloat16):
        x = gg.ones(3, dtype=dtype)
        name = np.dtype(dtype).name
        text = kernel_of(gg.exp(x) * x)
        assert f"const float32 t0 = gg_{name}(gg_exp(x0));" in text
        assert f"const float32 t1 = gg_{name}(t0 * x0);" in text


def assembly(text: str, folder: Path) -> str:
    source, target = folder / "kernel.cpp", folder / "kernel.s"
    source.write_text(host.complete(text))
    flags = [f for f in compiler.flags() if f not in ("-shared", "-w")]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unknown-pragmas", "-Wno-unused-function"]
    done = subprocess.run(
        [*compiler.compiler(), *flags, *strict, "-S", str(source), "-o", str(target)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return target.read_text()


VECTORIZED = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf", "cbrt", "power", "hypot", "arctan2", "logaddexp", "sinc", "sqrt", "floor", "where", "maximum"]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_are_vectorized_and_call_no_scalar_function(dtype: str, tmp_path: Path) -> None:
    if "-DGG_LIBMVEC" not in compiler.flags():
        pytest.skip("no vector library here: one call per element")
    gg.config.fuse = 64
    x = gg.ones(3, dtype=dtype)
    some = {
        "chosen": gg.where(x > 0, gg.exp(x), x), "elu": gg.elu(x, 0.5), "gelu": gg.gelu(x), "mask": gg.tanh(x) * (x > 1),
        "long": gg.sin(gg.exp(-x * x) + gg.log1p(x)) / gg.sqrt(1 + x**4) - gg.softplus(x),
    }  # fmt: skip
    for name in VECTORIZED:
        op = gg.ops.op.TABLE[name]
        args = [gg.ones(3, dtype=bool if name == "where" and n == 0 else dtype) for n in range(op.arity)]
        some[name] = call(op, *args)
    for name, t in some.items():
        text = assembly(kernel_of(t), tmp_path)
        loop = text[text.index("body") :].split(".cfi_endproc")[0]
        assert re.search(r"%[yz]mm\d|%xmm\d.*p[sd]", loop), name
        called = set(re.findall(r"\bcall\s+\*?([\w.]+)", loop))
        assert all(c.startswith("_ZGV") for c in called), (name, called)
        assert not re.search(r"\b(v?(mul|add|div|sqrt)s[sd])\b", loop), f"{name}: scalar arithmetic"


def test_kernels_compile_without_a_warning(tmp_path: Path) -> None:
    gg.config.fuse = 64
    for dtype in ("float16", "float32", "int8", "uint64"):
        x, y = gg.ones(3, dtype=dtype), gg.ones((2, 1), dtype=dtype)
        assembly(
            kernel_of(gg.where(x > y, gg.maximum(x, y) // (y + 1), gg.absolute(x) % 3).astype("float64") ** 2.5),
            tmp_path,
        )


def test_source_of_a_kernel_in_c() -> None:
    gg.config.fuse = 64
    x = gg.tensor([0.5], requires_grad=True)
    forward, backward = gg.debug.kernel_source(gg.sin(x) * x)
    assert "gg_sin(x0)" in forward
    assert "gg_cos(" in backward

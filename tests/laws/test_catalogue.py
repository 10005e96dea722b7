"""What gpugrad says of functions is what it does: the catalogue against calls, and against the list of what NumPy programs call.

`python tests/laws/test_catalogue.py` writes docs/functions.md anew.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if __name__ == "__main__":  # not by pytest, which finds the helpers itself
    sys.path.append(str(Path(__file__).parents[1]))

from composed_cases import COMPOSED
from helpers import ROOT
from structural_cases import CASES

import gpugrad as gg
from gpugrad.catalogue import REFUSED, Support, catalogue, page

# What NumPy programs call: the names that the best-covered peers differentiate, and those that they take without a derivative.
WITH = [
    "absolute", "add", "amax", "amin", "angle", "append", "apply_along_axis", "apply_over_axes", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "around", "array", "array_split", "asarray", "astype", "atleast_1d", "atleast_2d", "atleast_3d", "average",
    "bincount", "block", "broadcast_arrays", "broadcast_to", "cbrt", "ceil", "choose", "clip", "column_stack", "compress", "concatenate",
    "conjugate", "convolve", "copy", "copysign", "copyto", "corrcoef", "correlate", "cos", "cosh", "cov", "cross", "cumprod", "cumsum",
    "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "diag", "diagflat", "diagonal", "diff", "divide", "divmod", "dot",
    "dsplit", "dstack", "ediff1d", "einsum", "exp", "exp2", "expand_dims", "expm1", "extract", "fabs", "fill_diagonal", "fix", "flip", "fliplr",
    "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "full", "full_like", "geomspace", "gradient",
    "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit", "hstack", "hypot", "i0", "imag", "inner", "insert",
    "interp", "intersect1d", "kron", "ldexp", "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logspace", "matmul",
    "matrix_transpose", "matvec", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "modf", "moveaxis", "multiply",
    "nan_to_num", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd",
    "nansum", "nanvar", "negative", "nextafter", "ones_like", "outer", "pad", "partition", "percentile", "piecewise", "place", "poly",
    "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "positive", "power", "prod", "ptp", "put",
    "put_along_axis", "putmask", "quantile", "rad2deg", "radians", "ravel", "real", "real_if_close", "reciprocal", "remainder", "repeat",
    "reshape", "resize", "rint", "roll", "rollaxis", "rot90", "round", "select", "setdiff1d", "setxor1d", "sign", "sin", "sinc", "sinh", "sort",
    "spacing", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh",
    "tensordot", "tile", "trace", "transpose", "trapezoid", "tril", "trim_zeros", "triu", "trunc", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "unwrap", "vander", "var", "vdot", "vecdot", "vecmat", "vsplit", "vstack",
    "where", "zeros_like",
]  # fmt: skip
WITHOUT = [
    "all", "allclose", "any", "arange", "argmax", "argmin", "argpartition", "argsort", "argwhere", "array_equal", "array_equiv", "bitwise_and",
    "bitwise_or", "bitwise_xor", "can_cast", "common_type", "count_nonzero", "diag_indices_from", "digitize", "empty", "empty_like", "equal",
    "eye", "flatnonzero", "greater", "greater_equal", "identity", "invert", "isclose", "iscomplex", "iscomplexobj", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "ix_", "left_shift", "less", "less_equal", "lexsort", "logical_and", "logical_not",
    "logical_or", "logical_xor", "nanargmax", "nanargmin", "ndim", "nonzero", "not_equal", "ones", "ravel_multi_index", "result_type",
    "right_shift", "searchsorted", "shape", "signbit", "size", "tri", "tril_indices_from", "triu_indices_from", "unravel_index", "zeros",
]  # fmt: skip
LINALG = [
    "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv",
    "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip
EMATH = ["arccos", "arcsin", "arctanh", "log", "log10", "log2", "logn", "power", "sqrt"]
# They make arrays, and take tensors with like= or not at all.
MAKERS = {"arange", "array", "asarray", "empty", "eye", "full", "identity", "ones", "tri", "zeros"}


def test_everything_listed_is_there() -> None:
    for names, prefix in (
        (WITH + WITHOUT, "np"),
        (LINALG, "np.linalg"),
        (EMATH, "np.emath"),
        (EMATH, "np.lib.scimath"),
    ):
        for name in names:
            assert gg.support(f"{prefix}.{name}").works, name


def test_what_is_said_to_have_no_gradient_has_none() -> None:
    every = catalogue()
    for name in WITHOUT:
        assert not every[f"np.{name}"].differentiable, name
    for name in WITH:
        if name not in ("ones_like", "zeros_like"):
            assert every[f"np.{name}"].differentiable, name


@pytest.mark.parametrize("case", [c for c in [*CASES, *COMPOSED] if c[2] is None], ids=lambda c: c[0])
def test_what_is_said_to_have_a_gradient_has_one(case: tuple) -> None:
    """The cases of the tests of functions, by the name they begin with."""
    s = catalogue().get(f"np.{case[0].split()[0]}")
    if s is None:
        return
    y = case[1](np, *(gg.tensor(a, requires_grad=True) for a in case[3]))
    assert y.requires_grad == s.differentiable, s.name


def calls(f: Callable[..., Any], x: Any) -> Any:
    """The result of a function of one array, in a list of arrays; None where it takes no such array."""
    try:
        y = f(x)
    except (TypeError, ValueError, IndexError, np.linalg.LinAlgError, ZeroDivisionError, gg.errors.GpugradError):
        return None
    parts = list(y) if isinstance(y, (tuple, list)) else [y]
    return [p for p in parts if is_array(p)] or None


def is_array(a: Any) -> bool:
    return hasattr(a, "dtype") and not isinstance(a, type)


SHAPES = [(), (1,), (0,), (4,), (0, 3), (3, 0), (2, 3), (1, 3), (3, 3), (2, 3, 2)]
IN_FLOAT32 = {"corrcoef", "cov", "polyder", "polyint", "vander"}  # where NumPy goes to float64
RANDOM = {"empty_like", "resize"}  # resize is NumPy's, which pads with zeros what it repeats otherwise


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name",
    [n for n in WITH + WITHOUT if n not in MAKERS | RANDOM]
    + [f"linalg.{n}" for n in LINALG]
    + [f"emath.{n}" for n in EMATH],
)
def test_functions_of_one_array_on_every_shape(name: str, dtype: str) -> None:
    """Where NumPy gives a result, the same values and dtype, gradients of the tensor's shape and dtype, also from memory of any layout."""
    f = np
    for part in name.split("."):
        f = getattr(f, part)
    tested = 0
    for shape in SHAPES:
        x = (np.random.default_rng(len(shape)).permutation(int(np.prod(shape))).reshape(shape) / 4 + 0.25).astype(dtype)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = calls(f, x)
            if expected is None or any(np.iscomplexobj(e) for e in expected):
                continue
            for given in (x, np.asfortranarray(x), x[::-1]) if x.ndim else (x,):
                if given is not x and x.ndim and not np.array_equal(given, x):
                    expected = calls(f, given)
                t = gg.asarray(given).copy() if given is x else gg.asarray(given)
                t.requires_grad_()
                got = f(t)
                parts = [p for p in (list(got) if isinstance(got, (tuple, list)) else [got]) if is_array(p)]
                assert len(parts) == len(expected), shape
                for p, e in zip(parts, expected, strict=True):
                    kept = name in IN_FLOAT32 and e.dtype.kind == "f"
                    assert p.dtype == (t.dtype if kept else e.dtype), (shape, p.dtype, e.dtype)
                    assert p.shape == e.shape, (shape, p.shape, e.shape)
                    values = p.detach().numpy() if isinstance(p, gg.Tensor) else p
                    close = {"rtol": 3e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
                    if "qr" not in name and "svd" not in name and "eigh" not in name:
                        np.testing.assert_allclose(values.astype(float), e.astype(float), **close)
                moving = [p for p in parts if isinstance(p, gg.Tensor) and p.requires_grad]
                if moving and not {"qr", "svd", "eigh"} & set(name.split(".")):
                    (g,) = gg.autograd.grad(sum((p.sum() for p in moving[1:]), moving[0].sum()), t)
                    assert g.shape == t.shape, shape
                    assert g.dtype == t.dtype, shape
                tested += 1
    assert tested or not takes_one_array(f), name


def takes_one_array(f: Callable[..., Any]) -> bool:
    return calls(f, np.ones((2, 2))) is not None


def test_what_is_refused_says_why() -> None:
    t = gg.tensor(np.eye(2), requires_grad=True)
    for name in REFUSED:
        s = gg.support(name)
        assert not s.works
        assert len(s.note) > 20
        if name.startswith("np."):
            f: Any = np
            for part in name.split(".")[1:]:
                f = getattr(f, part)
            with pytest.raises(gg.errors.GpugradError, match=name.replace(".", r"\.")):
                f(t[0] if name == "np.roots" else t)


def test_asking_in_every_way() -> None:
    median = gg.support("np.median")
    for name in ("numpy.median", "median", "gg.median", np.median):
        assert gg.support(name) == median
    assert median.differentiable
    assert "middle" in median.gradient
    assert gg.support(np.tanh).gradient == "dy/dx = 1 - y * y"
    assert gg.support("scipy.special.gammaln").fuses
    assert gg.support("scipy.special.jv").devices == ("cpu",)
    assert not gg.support("np.argmax").differentiable
    assert not gg.support("np.medain").works
    assert "np.median" in gg.support("np.medain").note
    assert isinstance(gg.support(), dict)
    assert all(isinstance(s, Support) for s in gg.support().values())
    assert "fuses" in str(gg.support("np.exp"))
    assert inspect.isfunction(gg.support)


def test_the_page_has_not_drifted() -> None:
    assert (ROOT / "docs" / "functions.md").read_text(encoding="utf-8") == page(), (
        "run python tests/laws/test_catalogue.py to keep it"
    )


if __name__ == "__main__":
    (ROOT / "docs" / "functions.md").write_text(page(), encoding="utf-8")
    print("wrote docs/functions.md")

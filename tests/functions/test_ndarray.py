"""What ndarray has beside its functions, on tensors; reductions with where= and initial=; libraries on either side of an operator."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import scipy.stats
from helpers import leaf

import gpugrad as gg
from gpugrad.testing import check_grads

X = np.array([[3.0, 1.0], [2.0, 5.0]])
# What only NumPy's own machinery asks for.
INTERNAL = {
    "__array_finalize__",
    "__array_interface__",
    "__array_struct__",
    "__array_wrap__",
    "__setstate__",
    "_set_dtype",
    "_set_shape",
}


def test_every_attribute_of_an_array_is_there() -> None:
    t = gg.tensor(X)
    missing = {n for n in dir(np.ndarray) if not hasattr(t, n)}
    assert missing - {"__buffer__"} <= INTERNAL  # memory is handed out by t.numpy(), whose copy cannot change t


def test_writes_in_place() -> None:
    t = gg.tensor(X)
    t.sort()
    np.testing.assert_array_equal(t.numpy(), np.sort(X))
    t.sort(0)
    np.testing.assert_array_equal(t.numpy(), np.sort(np.sort(X), 0))
    t.partition(1)
    t.fill(7)
    assert t.tolist() == [[7, 7], [7, 7]]

    def f(x: gg.Tensor) -> gg.Tensor:
        y = x * 2
        y.sort()
        y.flat[3] = x[0, 0] ** 2
        y.flat[1:3] += 1
        return y

    check_grads(f, [X], order=2)
    with pytest.raises(gg.errors.WriteError):
        leaf([1.0, 2.0]).fill(0)


@pytest.mark.usefixtures("on_cpu")
def test_flat() -> None:
    t, a = gg.tensor(X), X.copy()
    assert [v.item() for v in t.flat] == list(a.flat)
    assert len(t.flat) == 4
    assert t.flat[[0, 3]].tolist() == a.flat[[0, 3]].tolist()
    t.flat[1::2] = a.flat[1::2] = [8.0, 9.0]
    np.testing.assert_array_equal(t.numpy(), a)
    t.flat = a.flat = [1.0, 2.0]
    np.testing.assert_array_equal(t.numpy(), a)
    assert (t.flat == 1).tolist() == [True, False, True, False]
    np.testing.assert_array_equal(np.asarray(t.flat), a.ravel())


@pytest.mark.usefixtures("on_cpu")
def test_memory() -> None:
    t = gg.tensor(X)
    assert t.base is None
    assert t.strides == X.strides
    assert not t.flags.writeable
    assert t.flags.c_contiguous
    assert bytes(t.data) == t.tobytes() == X.tobytes()
    assert pickle.loads(t.dumps()).tolist() == X.tolist()
    assert t.ctypes.data
    assert t.byteswap().tolist() == X.byteswap().tolist()
    assert t.view("int64").tolist() == X.view("int64").tolist()
    assert t.view(-1).shape == (4,)
    assert t.view(4, 1).shape == t.view((4, 1)).shape == (4, 1)
    assert t.view().tolist() == X.tolist()
    x = leaf(X)
    for lost in (lambda: x.data, x.tobytes, x.dumps, lambda: x.view("int64"), x.byteswap, lambda: x.ctypes):
        with pytest.raises(gg.errors.GraphError, match="lose its gradient"):
            lost()
    (g,) = gg.autograd.grad((x.view(4) ** 2).sum(), x)
    assert g.tolist() == (2 * X).tolist()


def test_files(tmp_path: Path) -> None:
    gg.tensor(X).tofile(tmp_path / "a")
    assert np.fromfile(tmp_path / "a").tolist() == X.ravel().tolist()
    gg.tensor(X).dump(tmp_path / "b")
    assert np.load(tmp_path / "b", allow_pickle=True).tolist() == X.tolist()


def test_what_tensors_refuse_names_the_way_out() -> None:
    t = gg.tensor(X)
    for call, words in (
        (lambda: t.resize(4), r"gg\.resize"),
        (lambda: t.setflags(write=True), "written to by name"),
        (lambda: t.getfield("int8"), r"t\.view\(dtype\)"),
        (lambda: t.setfield(1, "int8"), r"t\[i\] = v"),
        (lambda: t.__delitem__(0), r"gg\.delete"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_parts_and_devices() -> None:
    x = leaf(X)
    assert x.real is x
    assert x.imag.tolist() == [[0, 0], [0, 0]]
    assert not x.imag.requires_grad
    assert x.to_device("cpu").device == "cpu"
    assert 5.0 in x
    assert 6.0 not in x
    assert gg.Tensor[np.float64, Any]  # for annotations


def test_copies_and_pickles_keep_names() -> None:
    w = gg.tensor(X, requires_grad=True, name="w")
    again = pickle.loads(pickle.dumps(w))
    assert again.name == "w"
    assert again.requires_grad
    assert copy.deepcopy(w).name == "w"
    y = copy.copy(w)
    (g,) = gg.autograd.grad(y.sum(), w)
    assert g.tolist() == [[1, 1], [1, 1]]


def test_notebooks_show_shape_and_dtype() -> None:
    w = gg.tensor([[1.0, 2.0]], requires_grad=True, name="w<")
    shown = w._repr_html_()
    for words in ("w&lt;", "tensor 1 × 2", "float64", "leaf, requires grad", "[[1., 2.]]"):
        assert words in shown


W = np.array([[True, False], [True, True]])


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    "data", [X, np.array([[3, 1], [2, 5]]), np.array([[np.nan, 1.0], [2.0, np.nan]])], ids=["float", "int", "nan"]
)
def test_where_and_initial(data: np.ndarray, keepdims: bool, axis: Any) -> None:
    t = gg.tensor(data)
    for name in (
        "sum",
        "prod",
        "max",
        "min",
        "mean",
        "var",
        "std",
        "any",
        "all",
        "nansum",
        "nanprod",
        "nanmax",
        "nanmin",
        "nanmean",
        "nanvar",
        "nanstd",
    ):
        begins = name in ("sum", "prod", "max", "min", "nansum", "nanprod", "nanmax", "nanmin")
        cases = [{"initial": 2}, {"initial": 2, "where": W}] if begins else [{"where": W}, {"where": W[1]}]
        for kwargs in cases:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = getattr(np, name)(data, axis=axis, keepdims=keepdims, **kwargs)
            calls = [
                getattr(gg, name)(t, axis=axis, keepdims=keepdims, **kwargs),
                getattr(np, name)(t, axis=axis, keepdims=keepdims, **kwargs),
            ]
            if hasattr(data, name):
                calls.append(getattr(t, name)(axis=axis, keepdims=keepdims, **kwargs))
            for got in calls:
                assert got.dtype == expected.dtype, name
                np.testing.assert_allclose(got.numpy(), expected, rtol=1e-14, err_msg=name)


def test_gradients_with_where_and_initial() -> None:
    for name in ("sum", "prod", "mean", "var", "std"):
        check_grads(lambda a, name=name: getattr(gg, name)(a, axis=1, where=W), [X], order=2)
    check_grads(lambda a, b: gg.max(a, axis=0, initial=b, where=W), [X, np.array(0.1)])
    check_grads(lambda a: gg.nanmean(a, axis=0, where=W), [X], order=2)
    x = leaf([np.inf, 1.0])
    gg.sum(x * x, where=[False, True]).backward()
    assert x.grad.tolist() == [0, 2]  # what is not summed takes no part
    with pytest.raises(ValueError, match="initial"):
        gg.max(x, where=[True, False])


@pytest.mark.usefixtures("on_cpu")
def test_arrays_of_the_standard() -> None:
    t = gg.tensor(X)
    xp = t.__array_namespace__()
    assert xp is gg.numpy
    assert xp.isdtype(t.dtype, "real floating")
    assert xp.finfo(t).bits == 64
    assert xp.result_type(gg.ones(1, dtype="float32"), 1.5) == np.float32
    info = xp.__array_namespace_info__()
    assert "cpu" in info.devices()
    assert "complex128" not in info.dtypes()
    assert set(info.dtypes(kind="unsigned integer")) == {"uint8", "uint16", "uint32", "uint64"}
    assert info.capabilities()["boolean indexing"]
    assert xp.asarray(t, copy=True) is not t
    assert xp.asarray(t, copy=False) is t
    with pytest.raises(ValueError, match="copy=False cannot make"):
        xp.asarray(t, dtype="float32", copy=False)
    with pytest.raises(ValueError, match="copy=False takes arrays"):
        xp.asarray([1.0], copy=False)
    assert np.from_dlpack(t).tolist() == X.tolist()
    capsule = t.__dlpack__()  # as those ask that know no version
    assert "dltensor" in repr(capsule)
    assert gg.from_dlpack(X, copy=True).tolist() == X.tolist()
    for bad in (lambda: gg.sum(t, axis=3), lambda: gg.flip(t, 5)):
        with pytest.raises(IndexError):
            bad()
        with pytest.raises(ValueError, match="axis"):
            bad()
    with pytest.raises(ValueError, match="0-d"):
        gg.nonzero(gg.tensor(1.0))


def test_side_by_side() -> None:
    x = leaf([1.0, 2.0])
    r, c = gg.numpy.r_[x, 0.0, 1:3], gg.numpy.c_[x, [5.0, 6.0]]
    assert r.tolist() == np.r_[[1.0, 2.0], 0.0, 1:3].tolist()
    assert c.tolist() == np.c_[[1.0, 2.0], [5.0, 6.0]].tolist()
    (r.sum() + (c**2).sum()).backward()
    assert x.grad.tolist() == [3, 5]
    with pytest.raises(TypeError, match="directives"):
        gg.numpy.r_["-1", x]


class Named:
    """What a library with named axes looks like from outside: it computes itself, whatever array it holds."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.dims = ("x",)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Named:
        return Named(ufunc(*(i.data if isinstance(i, Named) else i for i in inputs)))

    def __add__(self, other: Any) -> Named:
        return np.add(self, other)


def test_arrays_with_named_axes_compute_themselves() -> None:
    w, da = leaf([1.0, 2.0]), Named(np.array([3.0, 4.0]))
    for found in (w * da, np.multiply(w, da), gg.multiply(w, da), np.multiply(da, w), gg.exp(w) * da):
        assert isinstance(found, Named)
        assert found.data.requires_grad
    held = Named(w) + 1.0
    assert isinstance(held.data, gg.Tensor)
    with pytest.raises(TypeError, match="named axes"):
        w @ da


def test_orders_and_shapes_of_every_kind() -> None:
    t, a = gg.tensor(np.arange(6.0).reshape(2, 3)), np.arange(6.0).reshape(2, 3)
    for call in (lambda: t.ravel("K"), lambda: np.reshape(t, -1, order="A")):
        with pytest.raises(ValueError, match="no property of a tensor"):
            call()
    for order in ("C", "F"):
        np.testing.assert_array_equal(np.reshape(t, (3, 2), order=order).numpy(), np.reshape(a, (3, 2), order=order))
        np.testing.assert_array_equal(t.reshape(3, -1, order=order).numpy(), a.reshape(3, -1, order=order))
        np.testing.assert_array_equal(t.ravel(order).numpy(), a.ravel(order))
        np.testing.assert_array_equal(t.flatten(order).numpy(), a.flatten(order))
    for shape in (-1, 6, np.array([3, 2]), [2, -1], np.int64(6)):
        np.testing.assert_array_equal(np.reshape(t, shape).numpy(), np.reshape(a, shape))
    flat = t.flatten()
    flat[0] = 9  # it is a copy
    check_grads(lambda x: x.reshape(3, 2, order="F") * x[0, 0], [a], order=2)
    for name in ("zeros_like", "ones_like", "empty_like"):
        assert getattr(np, name)(leaf(a), shape=(4, 4)).shape == (4, 4)
    assert np.full_like(leaf(a), 2.0, shape=3).tolist() == [2, 2, 2]


def test_descending_orders_are_stable() -> None:
    x = np.array([[1.0, 3.0, 1.0, 2.0], [2.0, 2.0, 0.0, 2.0]])
    t = gg.tensor(x)
    assert gg.argsort(t, descending=True).tolist() == [[1, 3, 0, 2], [0, 1, 3, 2]]
    assert gg.sort(t, axis=0, descending=True, stable=False).tolist() == np.sort(x, axis=0)[::-1].tolist()
    assert gg.sort(t, axis=None, descending=True).tolist() == np.sort(x, axis=None)[::-1].tolist()
    check_grads(lambda y: gg.sort(y, descending=True) * np.arange(4.0), [np.array([3.0, 1.0, 2.0, 0.5])], order=2)


def test_libraries_that_make_arrays_are_named() -> None:
    t = leaf([0.2, 0.8])
    for call, words in (
        (lambda: scipy.special.logsumexp(t), r"scipy\.special\.logsumexp makes a NumPy array.*gpugrad\.scipy\.special"),
        (lambda: scipy.linalg.cholesky(t[None] * t[:, None]), r"scipy.* makes a NumPy array.*gpugrad\.scipy"),
        (lambda: scipy.stats.norm.logpdf(t), r"scipy\.stats.*gpugrad\.scipy\.stats"),
        (lambda: np.asarray(t), r"gg\.asarray\(t\) instead of np\.asarray\(t\)"),
    ):
        with pytest.raises(gg.errors.GraphError, match=words):
            call()

"""Tensors as NumPy's users meet them: borrowed memory, protocols, conversion, copies, description."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg


@pytest.mark.usefixtures("on_cpu")
def test_numpy_is_a_read_only_view() -> None:
    x = gg.tensor([1.0, 2.0])
    a = x.numpy()
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 9
    assert np.shares_memory(a, x._value.array)


def test_asarray_shares_and_tensor_copies() -> None:
    a = np.array([1.0, 2.0])
    shared, copied = gg.asarray(a), gg.tensor(a)
    a[0] = 5
    assert shared.tolist() == [5, 2]
    assert copied.tolist() == [1, 2]
    shared[1] = 7.0  # never written in place
    assert a.tolist() == [5, 2]
    assert shared.tolist() == [5, 7]


def test_arrays_used_as_operands_are_copied_at_the_call() -> None:
    a = np.array([1.0, 2.0])
    y = gg.ones(2) * a
    a[:] = 0
    assert y.tolist() == [1, 2]
    index = np.array([0, 1])
    x = leaf([1.0, 2.0])
    z = x[index]
    index[:] = 0
    z.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_numpy_protocols() -> None:
    x = leaf([1.0, 2.0])
    a = np.array([3.0, 4.0])
    assert isinstance(a * x, gg.Tensor)
    assert isinstance(np.float64(2) * x, gg.Tensor)
    assert isinstance(np.sin(x), gg.Tensor)
    (a / x + np.power(x, 2) + np.float64(2) ** x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), -a / np.array([1, 4]) + [2, 4] + np.log(2) * np.array([2, 4]))
    assert (np.ones((2, 2)) @ x).tolist() == [3, 3]
    np.testing.assert_array_equal(np.asarray(gg.ones(2, device="cpu")), [1, 1])
    assert np.array(gg.ones(2, device="cpu"), dtype=np.float32).dtype == np.float32


def test_other_numpy_functions_are_refused_by_name() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"numpy.sum .* use gg.sum"):
        np.sum(x)
    with pytest.raises(TypeError, match=r"numpy\.histogram"):
        np.histogram(x)
    with pytest.raises(TypeError, match=r"'add'\.reduce"):
        np.add.reduce(x)
    with pytest.raises(TypeError, match=r"numpy\.linalg\.norm"):
        np.linalg.norm(x)
    with pytest.raises(TypeError, match="out="):
        np.sin(np.ones(2), out=x)
    with pytest.raises(TypeError, match="'frexp'"):
        np.frexp(x)
    a = np.ones(2)
    with pytest.raises(TypeError, match="'add' with out="):
        a += x


@pytest.mark.usefixtures("on_cpu")
def test_description() -> None:
    x = gg.tensor([[1.0, 2.0]], dtype="float32", requires_grad=True)
    assert repr(x) == "tensor([[1., 2.]], dtype=float32, device='cpu', requires_grad=True)"
    assert str(x) == "[[1. 2.]]"
    assert f"{gg.tensor(0.123456):.2f}" == "0.12"
    assert f"{x}" == str(x)
    assert (x.shape, x.ndim, x.size, x.nbytes, len(x), x.device.name) == ((1, 2), 2, 2, 8, 1, "cpu")
    assert [row.tolist() for row in x] == [[1, 2]]
    assert x[0, 1].item() == 2
    assert int(gg.tensor(3)) == 3
    assert float(gg.tensor(3)) == 3
    assert [10, 20, 30][gg.tensor(1)] == 20
    assert bool(gg.tensor(0.0)) is False
    assert {x: 1}[x] == 1
    with pytest.raises(TypeError, match="0-d"):
        len(gg.tensor(1))
    with pytest.raises(TypeError, match="0-d"):
        iter(gg.tensor(1))


def test_copies() -> None:
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.tolist() == x.tolist()
    assert twin.grad.tolist() == [2, 2]
    assert twin.requires_grad
    again = pickle.loads(pickle.dumps(x))
    assert again.tolist() == [1, 2]
    assert again.requires_grad
    with pytest.raises(gg.errors.GraphError, match="leaves"):
        copy.deepcopy(x * 2)
    y = x.copy()
    assert y.requires_grad
    assert not y.is_leaf
    b = gg.tensor([True]).copy()
    b[0] = False
    assert b.tolist() == [False]


def test_casts_bring_gradients_back() -> None:
    x = gg.tensor([1.5], dtype="float32", requires_grad=True)
    y = x.astype("float64") * gg.tensor([2.0])
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == np.float32
    assert x.astype(int).tolist() == [1]
    assert not x.astype(int).requires_grad
    assert x.to("float64").dtype == np.float64
    assert x.to(np.float32) is x


def test_requires_grad_is_for_leaves() -> None:
    x = gg.tensor([1.0])
    y = x * 2
    x.requires_grad_()
    z = x * 3
    assert not y.requires_grad
    assert z.requires_grad
    assert x.is_leaf
    with pytest.raises(gg.errors.GraphError, match="detach"):
        z.requires_grad_(False)
    x.requires_grad_(False)
    assert not x.requires_grad


@pytest.mark.usefixtures("on_cpu")
def test_dlpack() -> None:
    x = gg.tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.from_dlpack(x), [1, 2])
    x[0] = 9.0
    with pytest.raises(gg.errors.GraphError):
        np.from_dlpack(leaf([1.0]))


def test_comparison_with_none() -> None:
    assert (gg.ones(2) == None) is False  # noqa: E711  # what this is about
    assert (gg.ones(2) != None) is True  # noqa: E711

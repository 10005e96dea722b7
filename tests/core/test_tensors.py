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


def test_numpy_functions_without_a_gradient_are_refused_by_name() -> None:
    x = leaf([1.0, 2.0])
    for run, name in (
        (lambda: np.roots(x), r"np\.roots"),
        (lambda: np.linalg.eigvals(x), r"np\.linalg\.eigvals"),
        (lambda: np.sin(x, signature="d->d"), r"np\.sin with signature="),
    ):
        with pytest.raises(gg.errors.DTypeError, match=name + r" has no gradient.*t\.detach\(\)"):
            run()


def test_numpy_functions_on_tensors_are_those_of_gpugrad() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    for theirs, ours in (
        (np.sum(x, axis=0), gg.sum(x, 0)),
        (np.sum(a=x), gg.sum(x)),
        (np.mean(x, axis=1, keepdims=True), gg.mean(x, 1, keepdims=True)),
        (np.concatenate([x, x], axis=1), gg.concatenate([x, x], 1)),
        (np.where(x > 1, x, 0.0), gg.where(x > 1, x, 0.0)),
        (np.einsum("ij->j", x), gg.einsum("ij->j", x)),
        (np.add.reduce(x), gg.sum(x, 0)),
        (np.maximum.reduce(x, axis=None), gg.max(x)),
        (np.reshape(x, (4,)), x.reshape(4)),
        (np.amax(x), gg.max(x)),
        (np.ones_like(x), gg.ones((2, 2))),
    ):
        assert isinstance(theirs, gg.Tensor)
        assert theirs.tolist() == ours.tolist()
        assert theirs.requires_grad == ours.requires_grad


def test_questions_of_shape_always_answer() -> None:
    x = leaf([[1.0, 2.0]])
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((1, 2), 2, 2, 2)
    assert not np.iscomplexobj(x)
    assert np.isrealobj(x)
    assert np.result_type(x, np.float32) == np.float64
    assert x.device == gg.zeros(()).device


@pytest.mark.usefixtures("on_cpu")
def test_numpy_functions_run_on_arrays_where_nothing_requires_grad() -> None:
    x = gg.tensor([1.0, 2.0, 4.0])
    assert np.histogram(x, 3)[0].tolist() == [1, 1, 1]
    assert np.linalg.norm(x) == np.sqrt(21)
    assert np.frexp(x)[1].tolist() == [1, 2, 3]
    a = np.ones(3)
    a += x
    assert a.tolist() == [2, 3, 5]
    assert np.sin(x, out=a) is a
    np.testing.assert_allclose(a, np.sin([1, 2, 4]), rtol=1e-15)
    out = gg.zeros(3)
    assert np.multiply(x, 2.0, out=out) is out
    assert out.tolist() == [2, 4, 8]
    with pytest.raises(gg.errors.GraphError, match="lose its gradient"):
        a += leaf([1.0, 2.0, 3.0])


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

"""Structural ops and what is made of them: against NumPy, finite differences of orders 1 and 2, and JAX."""

from __future__ import annotations

import numpy as np
import pytest
from case_checks import check_against_jax, check_dtype, check_forward, check_values
from helpers import leaf
from structural_cases import CASES, R

import gpugrad as gg
from gpugrad.ops import structural


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_values_gradients_and_second_order(case: tuple) -> None:
    check_values(*case[1:])


@pytest.mark.parametrize("case", [c for c in CASES if c[2] is None], ids=lambda c: c[0])
def test_gradients_against_jax(case: tuple) -> None:
    check_against_jax(case[1], case[3])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_dtypes_are_kept(case: tuple, dtype: str) -> None:
    check_dtype(case[1], case[3], dtype)


def test_what_has_no_gradient() -> None:
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 0.0]])
    t = gg.tensor(x, requires_grad=True)
    for name in ("argmax", "argmin"):
        for axis in (None, 0, 1):
            assert getattr(gg, name)(t, axis).tolist() == getattr(np, name)(x, axis).tolist()
        assert getattr(gg, name)(t, 1, keepdims=True).shape == (2, 1)
    assert gg.argsort(t).tolist() == np.argsort(x, kind="stable").tolist()
    assert [i.tolist() for i in gg.nonzero(t)] == [i.tolist() for i in np.nonzero(x)]
    assert [i.tolist() for i in gg.where(t > 1)] == [i.tolist() for i in np.where(x > 1)]
    assert (gg.any(t, 0).tolist(), gg.all(t, 1).tolist()) == (np.any(x, 0).tolist(), np.all(x, 1).tolist())
    assert gg.all(gg.ones((0,))).item() is True
    assert gg.any(gg.ones((0,))).item() is False
    assert not gg.argmax(t).requires_grad
    assert (t > 1).any().item() is True


def test_integer_results_as_numpy() -> None:
    x = np.array([[1, 2], [3, 4]], dtype=np.int32)
    t = gg.tensor(x)
    for name in ("sum", "prod", "max", "mean", "cumsum", "var"):
        ours, theirs = getattr(gg, name)(t), getattr(np, name)(x)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert gg.sum(gg.tensor([True, True])).item() == 2
    assert (t @ t).tolist() == (x @ x).tolist()
    assert np.isnan(gg.mean(gg.ones(0)).item())


def test_duplicate_indices_accumulate_exactly() -> None:
    index = R.integers(0, 7, 1000)
    x = gg.tensor(np.zeros((7, 3)), requires_grad=True)
    w = R.standard_normal((1000, 3))
    (x[index] * w).sum().backward()
    expected = np.zeros((7, 3))
    np.add.at(expected, index, w)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)
    y = gg.tensor(np.zeros(7), requires_grad=True)
    y[index].sum().backward()
    assert y.grad.tolist() == np.bincount(index, minlength=7).tolist()
    z = gg.tensor(np.zeros(7), requires_grad=True)
    (z[-1] + z[[-1, 6]].sum()).backward()
    assert z.grad.tolist() == [0, 0, 0, 0, 0, 0, 3]


def test_ties_share_the_gradient_evenly_also_in_half_precision() -> None:
    x = gg.tensor(np.ones(4), dtype="float16", requires_grad=True)
    gg.max(x).backward()
    assert x.grad.tolist() == [0.25] * 4
    x = gg.tensor([1.0, np.nan, 3.0], requires_grad=True)
    gg.max(x).backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_product_with_zeros_at_every_order() -> None:
    x = gg.tensor([0.0, 0.0, 2.0, 3.0], requires_grad=True)
    (g,) = gg.autograd.grad(gg.prod(x), x, create_graph=True)
    assert g.tolist() == [0, 0, 0, 0]
    (h,) = gg.autograd.grad(g[0], x)
    assert h.tolist() == [0, 6, 0, 0]


def test_softmax_family_at_infinity() -> None:
    x = gg.tensor([-np.inf, 0.0, 1000.0], requires_grad=True)
    assert gg.softmax(x).tolist() == [0, 0, 1]
    assert gg.logsumexp(gg.tensor([-np.inf, -np.inf])).item() == -np.inf
    gg.logsumexp(x).backward()
    assert x.grad.tolist() == [0, 0, 1]


def test_methods_are_the_functions() -> None:
    x = gg.tensor([[1.0, 4.0], [9.0, 16.0]])
    assert x.sqrt().sum(axis=0).tolist() == [4, 6]
    assert x.mean().item() == 7.5
    assert x.reshape((4,)).shape == x.reshape(4).shape == x.flatten().shape == (4,)
    assert x.transpose(1, 0).tolist() == x.transpose().tolist() == x.T.tolist()
    assert x.clip(2, 10).max().item() == 10
    assert abs(-x).tolist() == x.tolist()
    assert x.dot(x).tolist() == (x @ x).tolist()
    assert x.argmax().item() == 3


@pytest.mark.parametrize("op", [o for o in structural.TABLE.values() if o.rule is not None], ids=lambda o: o.name)
def test_every_op_has_a_tangent(op: structural.StructuralOp) -> None:
    """What can be differentiated in reverse can be forward, too: it is linear, or declares a jvp."""
    assert op.linear in ("", "each", "jointly")
    assert bool(op.linear) != (op.tangent_rule is not None)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_forward_mode_is_the_transpose_of_reverse(case: tuple) -> None:
    check_forward(case[1], case[3])


def test_tangents_carry_masks_as_gradients_do() -> None:
    """An element that did not take part contributes 0 forward, too, where its local gradient is infinite."""
    x, t = np.array([0.0, 4.0]), np.array([1.0, 8.0])
    for f in (
        lambda x: gg.where(x > 0, gg.sqrt(x), 0.0),
        lambda x: gg.sqrt(gg.where(x > 0, x, 0.0)),
        lambda x: gg.sqrt(gg.reshape(gg.where(x > 0, x, 0.0), (2, 1))).reshape(2),  # across regions
        lambda x: gg.sqrt(gg.concatenate([np.zeros(1), x[1:]])),  # what is joined to it has no tangent
    ):
        assert gg.jvp(f, (x,), (t,))[1].tolist() == [0, 2]
        traced = gg.jvp(f, (x,), (gg.tensor(t, requires_grad=True),))[1]
        assert traced.tolist() == [0, 2]


def test_einsum_takes_the_diagonal_and_broadcasts() -> None:
    m = [[1.0, np.inf], [np.nan, 2.0]]
    assert gg.einsum("ii", m).item() == 3
    assert gg.einsum("ii->i", m).tolist() == [1, 2]
    t = np.arange(27.0).reshape(3, 3, 3)
    assert gg.einsum("iji->j", t).tolist() == np.einsum("iji->j", t).tolist()
    assert gg.einsum("iii", t).item() == np.einsum("iii", t)
    assert gg.einsum("ij,jk->ik", np.ones((2, 1)), np.ones((0, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_duplicates_in_half_precision_do_not_saturate() -> None:
    w = leaf([0.0], "float16")
    w[np.zeros(5000, int)].sum().backward()
    assert w.grad.tolist() == [5000]


def test_small_integer_indices() -> None:
    w = gg.zeros((300, 2), requires_grad=True)
    w[np.array([1, 250], np.uint8)].sum().backward()
    assert w.grad.sum().item() == 4


def test_softmax_of_nothing() -> None:
    assert gg.softmax(gg.zeros((3, 0))).shape == (3, 0)
    assert gg.log_softmax(gg.zeros((3, 0))).shape == (3, 0)
    assert gg.logsumexp(gg.zeros((2, 0)), axis=1).tolist() == [-np.inf, -np.inf]


def test_numpy_integers_are_axes_counts() -> None:
    assert gg.tensordot(gg.ones(2), gg.ones(2), np.int64(1)).item() == 2

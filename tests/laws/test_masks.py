"""What did not take part contributes nothing, at any order and whatever follows."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import both, leaf

import gpugrad as gg


@both
def test_where_hides_what_was_not_taken(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    gg.where(x > 0, gg.sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@both
def test_masks_survive_further_factors(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    y = gg.where(x > 0, gg.sqrt(x), x)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 1]


@both
def test_masks_survive_a_reshape_and_a_sum(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    branch = gg.sqrt(x).reshape(2, 1).T.reshape(2)
    gg.where(x > 0, branch, 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    x = leaf([0.0, 4.0])
    gg.where(x > 0, gg.sqrt(x)[:], 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@both
def test_masks_survive_broadcasting_indexing_and_joining(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    r = gg.sqrt(x)
    wide = gg.concatenate([r, r])[gg.tensor([0, 1])] + gg.zeros((3, 2))
    gg.where(x > 0, wide, 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.75]


@both
def test_masks_at_orders_one_to_three(fuse: int) -> None:
    x = leaf([0.0, 2.0])
    y = gg.where(x > 0, x * gg.log(x), 0.0) + x**2
    for expected in ([0, np.log(2) + 1 + 4], [2, 0.5 + 2], [0, -0.25]):
        (y,) = gg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-15)


@both
def test_masks_of_gradients_that_meet(fuse: int) -> None:
    x = leaf([4.0, 0.0])
    v = gg.sqrt(x)
    gg.where(x > 9, v, v * 2).sum().backward()  # one branch is dead everywhere, the other alive
    assert x.grad.tolist() == [0.5, np.inf]


@both
def test_higher_orders_of_a_square_root_branch(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    y = gg.where(x > 0, gg.sqrt(x), 0.0)
    for expected in (0.25, -1 / 32, 3 / 256):
        (y,) = gg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), [0, expected], atol=1e-15)


@both
def test_a_gradient_that_is_zero_is_not_a_mask(fuse: int) -> None:
    x = leaf([0.0])
    y = gg.where(x > -5, gg.sin(x), 0.0) ** 2
    (g,) = gg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [0]
    (h,) = gg.autograd.grad(g.sum(), x)
    assert h.tolist() == [2]


@both
def test_honest_nans_stay(fuse: int) -> None:
    x = leaf([0.0])
    gg.exp(gg.log(x)).sum().backward()
    assert np.isnan(x.grad.numpy()).all()


@both
def test_max_and_relu_select(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    gg.relu(gg.sqrt(x) - 1).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    x = leaf([0.0, 4.0])
    gg.max(gg.sqrt(x)).backward()
    assert x.grad.tolist() == [0, 0.25]


@pytest.mark.parametrize("fuse", [1, 64])
def test_two_masked_contributions_to_one_node(fuse: int) -> None:
    gg.config.fuse = fuse
    r = np.random.default_rng(0).normal(size=100_000)
    x = leaf(r)
    h = gg.tanh(x)
    gg.wait(h)
    p, n = gg.relu(h), gg.relu(-h)
    ((p * p).sum() + (n * 3.0).sum()).backward()
    t = np.tanh(r)
    np.testing.assert_allclose(x.grad.numpy(), np.where(t > 0, 2 * t, -3) * (1 - t**2))
    a, b = leaf([2.0, 1.0]), leaf([1.0, 2.0])
    ga, gb = gg.autograd.grad((gg.maximum(a, b) ** 2).sum(), [a, b], create_graph=True)
    assert [g.tolist() for g in gg.autograd.grad((ga + gb).sum(), [a, b])] == [[2, 0], [0, 2]]


def test_masks_smaller_than_their_region_in_a_recorded_walk() -> None:
    c, x = gg.tensor([True, False, True]), gg.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
    h = gg.exp(x)
    (g,) = gg.autograd.grad(gg.where(c, h.reshape(4, 3), 0.0).sum(), x, create_graph=True)
    expected = np.exp(np.arange(12.0)).reshape(4, 3) * [1, 0, 1]
    np.testing.assert_allclose(g.detach().numpy(), expected)
    np.testing.assert_allclose(gg.autograd.grad(g.sum(), x)[0].numpy(), expected)


@pytest.mark.usefixtures("native")
def test_masks_of_no_axes() -> None:
    x = gg.tensor(0.5, requires_grad=True)
    h = x * x
    h.item()
    a, b = gg.maximum(h, 0.1), gg.minimum(h, 0.9)
    a.item()
    b.item()
    (a + b).backward()
    assert x.grad.item() == 2.0


@pytest.mark.usefixtures("native")
def test_second_derivatives_whose_mask_is_one_boolean() -> None:
    gg.config.fuse = 1
    for n in (2.5, 4, 0):
        x = gg.tensor(np.full(3, 0.5), requires_grad=True)
        (g,) = gg.autograd.grad((x**n).sum(), [x], create_graph=True)
        if g.requires_grad:
            g.sum().backward()
            np.testing.assert_allclose(x.grad.numpy(), n * (n - 1) * 0.5 ** (n - 2))

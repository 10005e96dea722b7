"""Losses against their definitions, and what they refuse."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg
from gpugrad.nn import functional as F

jax.config.update("jax_enable_x64", True)

R = np.random.default_rng(11)


def test_losses_against_their_definitions() -> None:
    p, t = R.standard_normal((4, 3)), R.standard_normal((4, 3))
    e = p - t
    cases: list[tuple[Any, np.ndarray]] = [
        (F.mse_loss, e**2), (F.l1_loss, np.abs(e)), (F.huber_loss, np.where(np.abs(e) <= 1, 0.5 * e**2, np.abs(e) - 0.5)),
    ]  # fmt: skip
    for loss, expected in cases:
        np.testing.assert_allclose(loss(p, t, reduction="none").numpy(), expected)
        np.testing.assert_allclose(loss(p, t).item(), expected.mean())
        np.testing.assert_allclose(loss(p, t, reduction="sum").item(), expected.sum())
    q = R.uniform(0, 1, (4, 3))
    s = 1 / (1 + np.exp(-p))
    np.testing.assert_allclose(
        F.binary_cross_entropy_with_logits(p, q).item(), -(q * np.log(s) + (1 - q) * np.log(1 - s)).mean()
    )


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (3,)])
def test_cross_entropy_with_classes_and_probabilities(shape: tuple[int, ...]) -> None:
    x = R.standard_normal(shape)
    axis = 1 if len(shape) > 1 else 0
    classes = R.integers(0, 3, shape[:axis] + shape[axis + 1 :])
    one_hot = np.moveaxis(np.eye(3)[classes], -1, axis)
    log_p = np.asarray(jax.nn.log_softmax(x, axis))
    expected = -(one_hot * log_p).sum(axis).mean()
    a, b = gg.tensor(x, requires_grad=True), gg.tensor(x, requires_grad=True)
    first, second = F.cross_entropy(a, classes), F.cross_entropy(b, one_hot)
    np.testing.assert_allclose(
        [first.item(), second.item(), F.nll_loss(gg.log_softmax(x, axis), classes).item()], expected
    )
    first.backward()
    second.backward()
    exact = (np.exp(log_p) - one_hot) / classes.size
    np.testing.assert_allclose(a.grad.numpy(), exact, atol=1e-15)
    np.testing.assert_allclose(b.grad.numpy(), exact, atol=1e-15)


def test_losses_refuse_what_does_not_fit() -> None:
    with pytest.raises(IndexError, match="classes must be from 0 to 2, found -1 to 1"):
        F.cross_entropy(gg.ones((2, 3)), [1, -1])
    with pytest.raises(gg.errors.ShapeError, match="do not fit"):
        F.cross_entropy(gg.ones((2, 3)), [1, 1, 1])
    with pytest.raises(gg.errors.ShapeError, match="one shape"):
        F.mse_loss(gg.ones((2, 3)), gg.ones((3, 2)))
    with pytest.raises(gg.errors.DTypeError, match="integer classes"):
        F.nll_loss(gg.ones((2, 3)), gg.ones(2))
    with pytest.raises(ValueError, match="reduction"):
        F.mse_loss(1.0, 2.0, reduction="avg")


def test_losses_do_not_truncate_targets() -> None:
    assert F.mse_loss([1, 2], [1.5, 2.5]).item() == 0.25
    np.testing.assert_allclose(F.binary_cross_entropy_with_logits(gg.tensor([0]), [0.5]).item(), np.log(2))


def test_probabilities_get_their_gradient_where_they_are_zero() -> None:
    t = leaf([[0.0, 1.0, 0.0]])
    F.cross_entropy([[1.0, 2.0, 3.0]], t).backward()
    np.testing.assert_allclose(t.grad.numpy(), [-np.log(np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())], rtol=1e-6)
    assert F.cross_entropy([[-np.inf, 0.0]], [[0.0, 1.0]]).item() == 0


def test_cross_entropy_of_far_logits_is_that_of_jax() -> None:
    x = np.array([[1e4, -1e4, 0.0], [-np.inf, 3.0, 3.0], [np.inf, 1.0, 2.0], [-1e9, 80.0, -80.0], [2e38, -2e38, 1.0]])
    classes = np.array([1, 2, 0, 1, 0])
    t = leaf(x)
    loss = F.cross_entropy(t, classes, reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), [2e4, np.log(2), 0, 0, 0], atol=1e-12)
    loss[np.array([0, 1, 3, 4])].sum().backward()
    exact = np.asarray(jax.nn.softmax(x, axis=1)) - np.eye(3)[classes]
    np.testing.assert_allclose(t.grad.numpy()[[0, 1, 3, 4]], exact[[0, 1, 3, 4]], atol=1e-15)  # type: ignore[union-attr]
    assert F.cross_entropy([[0.0, -np.inf]], np.array([1])).item() == np.inf


def test_classes_in_a_tensor_are_those_that_it_holds_now() -> None:
    logits = gg.tensor(R.standard_normal((4, 3)))
    t = gg.tensor([0, 1, 2, 1])
    first = F.cross_entropy(logits, t).item()
    assert F.cross_entropy(logits, t).item() == first  # what is known of them is used again
    t[1] = 2
    expected = F.cross_entropy(logits, np.array([0, 2, 2, 1])).item()
    assert F.cross_entropy(logits, t).item() == expected != first
    t[3] = 3
    with pytest.raises(IndexError, match="from 0 to 2, found 0 to 3"):
        F.cross_entropy(logits, t)
    t -= 1
    with pytest.raises(IndexError, match="from 0 to 2, found -1 to 2"):
        F.nll_loss(gg.log_softmax(logits), t)


@pytest.mark.usefixtures("on_cpu")
def test_classes_in_memory_of_somebody_else_are_looked_at_each_time() -> None:
    own = np.array([0, 1, 2, 1])
    logits, t = gg.tensor(R.standard_normal((4, 3))), gg.asarray(own)
    F.cross_entropy(logits, t)
    own[0] = 7
    with pytest.raises(IndexError, match="found 1 to 7"):
        F.cross_entropy(logits, t)


def test_every_function_of_the_module_is_named() -> None:
    own = {n for n, f in vars(F).items() if getattr(f, "__module__", "") == F.__name__ and not n.startswith("_")}
    assert own == set(F.__all__)


def test_layer_norm_names_itself_where_a_length_is_given_as_an_axis() -> None:
    with pytest.raises(gg.errors.AxisError, match=r"^layer_norm: axis 13 is out of range"):
        F.layer_norm(np.ones((4, 13)), (13,))

"""`gpugrad.numpy`: programs written for `autograd.numpy`, with other imports."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import gpugrad as gg
import gpugrad.numpy as np
import gpugrad.numpy.linalg as npla
import gpugrad.numpy.random as npr
from gpugrad import grad
from gpugrad.functions.face import PUBLIC


def test_names() -> None:
    for name, function in PUBLIC.items():
        assert getattr(np, name) is function
    assert np.linalg is npla
    assert npla.solve is gg.linalg.solve
    assert np.pi == numpy.pi
    assert np.newaxis is None
    assert np.float32 is numpy.float32
    assert np.genfromtxt is numpy.genfromtxt
    assert {"sin", "lexsort", "pi"} <= set(dir(np))
    with pytest.raises(AttributeError, match="sinn"):
        _ = np.sinn


def test_what_is_written_into_new_arrays_has_its_gradient() -> None:
    def f(x: Any) -> Any:
        out = np.zeros(4)
        for i in range(3):
            out[i] = x[i] ** 2
        grid = np.linspace(0.0, 1.0, 4)
        return np.sum(out * grid) + np.sum(np.eye(3) @ x)

    assert grad(f)(numpy.array([1.0, 2.0, 3.0])).tolist() == pytest.approx([1.0, 1 + 4 / 3, 1 + 4.0])


def test_logistic_regression_moves_by_its_imports() -> None:
    npr.seed(0)
    inputs, wanted = npr.randn(50, 3), npr.randn(3)
    targets = np.where(np.dot(inputs, wanted) > 0, 1.0, 0.0)

    def sigmoid(x: Any) -> Any:
        return 0.5 * (np.tanh(x / 2.0) + 1)

    def training_loss(weights: Any) -> Any:
        preds = sigmoid(np.dot(inputs, weights))
        return -np.sum(np.log(preds * targets + (1 - preds) * (1 - targets))) + 0.01 * npla.norm(weights) ** 2

    weights = np.zeros(3)
    before = training_loss(weights)
    for _ in range(100):
        weights -= grad(training_loss)(weights) * 0.05
    assert isinstance(weights, gg.Tensor)
    assert training_loss(weights).item() < 0.2 * before.item()


def test_random_numbers() -> None:
    npr.seed(1)
    first = npr.rand(2, 3)
    npr.seed(1)
    assert gg.random.random((2, 3)).tolist() == first.tolist()
    assert npr.randn(4).shape == (4,)
    assert set(npr.randint(2, 4, size=50).tolist()) == {2, 3}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("sqrt", (4.0,)), ("log", (0.5,)), ("log2", (3.0,)), ("log10", (3.0,)), ("arccos", (0.5,)), ("arcsin", (-0.5,)), ("arctanh", (0.5,)),
        ("logn", (3.0, 5.0)), ("power", (3.0, -2.0)),
    ],
)  # fmt: skip
def test_functions_of_emath_where_they_are_real(name: str, args: tuple[float, ...], dtype: str) -> None:
    f = getattr(numpy.emath, name)
    xs = [gg.tensor([a], dtype, requires_grad=True) for a in args]
    y = f(*xs)
    expected = f(*(numpy.array([a], dtype) for a in args))
    assert y.dtype == expected.dtype
    numpy.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-6)
    if dtype == "float64":
        gg.testing.check_grads(f, tuple(args), order=2)


def test_functions_of_emath_where_they_are_complex() -> None:
    x = gg.tensor([[1.0, 2.0], [3.0, -4.0]], requires_grad=True)
    with pytest.raises(
        gg.errors.InputError, match=r"np\.emath\.sqrt: x has -4\.0 at index \(1, 1\), where the result is complex"
    ):
        numpy.emath.sqrt(x)
    for call in (
        lambda: numpy.emath.arccos(x), lambda: numpy.emath.logn(-2.0, x[0]), lambda: numpy.emath.power(x, 2),
        lambda: numpy.lib.scimath.log(gg.tensor(-1.0)),
    ):  # fmt: skip
        with pytest.raises(gg.errors.InputError, match="complex"):
            call()
    assert numpy.isnan(numpy.emath.sqrt(gg.tensor(float("nan"))).item())
    assert numpy.emath.sqrt(gg.zeros(0)).shape == (0,)
    assert numpy.emath.power(gg.tensor([2]), -2).tolist() == [0.25]

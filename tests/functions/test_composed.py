"""Functions of NumPy that are made of ops: the same laws as for ops, and NumPy's own function on tensors."""

from __future__ import annotations

import numpy as np
import pytest
from case_checks import check_against_jax, check_dtype, check_forward, check_values
from composed_cases import COMPOSED, IN_DOUBLE

import gpugrad as gg

cases = pytest.mark.parametrize("case", COMPOSED, ids=lambda c: c[0])


@cases
def test_numpys_own_function_takes_tensors(case: tuple) -> None:
    ours, args = case[1], case[3]
    xs, others = ([gg.tensor(x, requires_grad=True) for x in args] for _ in range(2))
    y, same = ours(np, *xs), ours(gg, *others)
    assert isinstance(y, gg.Tensor)
    y.backward(gg.ones_like(y))
    same.backward(gg.ones_like(y))
    np.testing.assert_array_equal(y.detach().cpu().numpy(), same.detach().cpu().numpy())
    for x, o in zip(xs, others, strict=True):
        np.testing.assert_array_equal(x.grad.cpu().numpy(), o.grad.cpu().numpy())


@pytest.mark.long_on_gpu
@cases
def test_values_gradients_and_second_order(case: tuple) -> None:
    check_values(*case[1:])


@pytest.fixture
def by_numpy() -> None:
    """What follows asks nothing of compiled plans that the tests of ops do not."""
    gg.config.cpu = "numpy"


@pytest.mark.usefixtures("on_cpu", "by_numpy")
@pytest.mark.parametrize("case", [c for c in COMPOSED if c[2] is None], ids=lambda c: c[0])
def test_gradients_against_jax(case: tuple) -> None:
    check_against_jax(case[1], case[3])


@pytest.mark.usefixtures("on_cpu", "by_numpy")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", [c for c in COMPOSED if c[0] not in IN_DOUBLE], ids=lambda c: c[0])
def test_dtypes_are_kept(case: tuple, dtype: str) -> None:
    check_dtype(case[1], case[3], dtype)


@pytest.mark.usefixtures("on_cpu", "by_numpy")
@cases
def test_forward_mode_is_the_transpose_of_reverse(case: tuple) -> None:
    check_forward(case[1], case[3])

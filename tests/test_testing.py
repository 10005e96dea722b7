"""`gpugrad.testing.check_grads` finds what is wrong, and says where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.testing import check_grads


def squares(factor: float, wrong: int, detached: bool = False) -> Any:
    f = gg.custom_vjp(lambda x: x**2)
    factors = np.full(4, 2.0)
    factors[wrong] = factor
    f.defvjp(lambda x: (x**2, x), lambda x, g: ((x.detach() if detached else x) * factors * g,))
    return f


def test_what_is_right_passes() -> None:
    check_grads(lambda x, y: gg.sin(x * y), (np.ones(3), np.arange(3.0)))
    check_grads(gg.linalg.inv, (np.eye(2) + 0.1,), order=3)
    check_grads(np.exp, (0.5,))
    check_grads(squares(2.0, 0), (np.arange(1.0, 5),))
    check_grads(lambda x: gg.sum(x * 3), (np.ones(2, np.float32),), eps=1e-2, rtol=1e-3)


@pytest.mark.parametrize(("modes", "name"), [(("fwd",), "forward"), (("rev",), "reverse")])
def test_what_is_wrong_is_named(modes: tuple[str], name: str) -> None:
    with pytest.raises(
        AssertionError, match=rf"^{name} mode, argument 1, element \(2,\): the derivative of .* differences"
    ):
        check_grads(lambda a, x: squares(2.5, 2)(x) * a, (2.0, np.arange(1.0, 5)), modes=modes)


def test_second_order() -> None:
    f = squares(2.0, 0, detached=True)
    check_grads(f, (np.arange(1.0, 5),), order=1)
    with pytest.raises(AssertionError, match="mode, then"):
        check_grads(f, (np.arange(1.0, 5),), modes=("rev",))


def test_mistakes() -> None:
    with pytest.raises(gg.errors.InputError, match="'fwd' and 'rev', not 'forward'"):
        check_grads(gg.sin, (1.0,), modes=("forward",))
    with pytest.raises(gg.errors.DTypeError, match="argument 0 is of dtype int64"):
        check_grads(gg.sin, (np.arange(3),))

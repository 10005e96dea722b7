"""What the debug level checks: NaN and its line, and promises about arrays."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("fused")


def test_debug_names_the_op_and_the_line_that_made_a_nan() -> None:
    gg.config.debug = 1
    x = leaf([1.0, -1.0])
    y = gg.log(x) * 2  # this line
    with pytest.raises(FloatingPointError, match=r"log produced NaN .*test_checks.py:\d+"):
        y.sum().item()
    with pytest.raises(FloatingPointError, match=r"gradient of a region of 2 ops \(sqrt, sum\) .*test_checks.py:\d+"):
        gg.sqrt(leaf([0.0])).sum().backward()


def test_debug_finds_a_broken_promise() -> None:
    gg.config.debug = 1
    a = np.ones(3)
    x = gg.asarray(a)
    y = x * 2
    a[0] = 5
    with pytest.raises(gg.errors.WriteError, match=r"asarray at .*test_checks.py"):
        y.tolist()

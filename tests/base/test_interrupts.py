"""An interrupt waits where a block must not be cut."""

from __future__ import annotations

import signal

import pytest


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_waits_for_a_block_that_must_not_be_cut() -> None:
    from gpugrad.base.interrupts import uninterrupted

    done = []

    def block() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        done.append(2)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [1]

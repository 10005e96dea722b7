"""Grad mode: nested, in threads, and whatever interrupts it."""

from __future__ import annotations

import signal
import threading

import pytest

import gpugrad as gg
from gpugrad.base import modes


def records() -> bool:
    return (gg.ones(1, requires_grad=True) * 2).requires_grad


def test_blocks_nest() -> None:
    assert records()
    with gg.no_grad():
        assert not records()
        with gg.enable_grad():
            assert records()
            with gg.set_grad_enabled(False):
                assert not records()
        assert not records()
    assert records()
    block = gg.no_grad()
    for _ in range(2):  # one may be entered again
        with block, block:
            assert not records()
        assert records()
    with block:
        with gg.enable_grad():
            pass
        with block:
            assert not records()


def test_blocks_that_have_ended_are_forgotten() -> None:
    for _ in range(100):
        with gg.no_grad():
            gg.ones(1) * 2  # needs no gradient, and so does not ask
    assert len(modes.grad_mode.scopes) <= 1


def test_one_block_is_not_two() -> None:
    block = gg.no_grad()
    with block, gg.enable_grad(), pytest.raises(gg.errors.GraphError, match=r"around another.*gg\.no_grad"):
        block.__enter__()
    seen: list[object] = []

    def other() -> None:
        try:
            with block:
                pass
        except gg.errors.GraphError as e:
            seen.append(str(e))
        seen.append(records())

    with block:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert not records()
    assert "in another thread" in str(seen[0])
    assert seen[1] is True


def test_errors_and_decorators_leave_it_as_it_was() -> None:
    @gg.no_grad()
    def f(fail: bool) -> bool:
        if fail:
            raise KeyError
        return records()

    assert f(False) is False
    with pytest.raises(KeyError):
        f(True)
    assert records()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of the system")
def test_an_interrupt_never_leaves_a_mode_behind() -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, interrupt)
    caught = 0
    try:
        while caught < 3000:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + (caught % 50) * 0.000002)
                for _ in range(10_000):  # not for ever: an interrupt inside a finalizer is reported, and lost
                    with gg.no_grad():
                        pass
            except KeyboardInterrupt:
                caught += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert modes.grad_mode.enabled
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)

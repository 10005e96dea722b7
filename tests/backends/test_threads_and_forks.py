"""Threads of the executors: interrupted, not to be had, and left behind by a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from helpers import ROOT


@pytest.mark.usefixtures("native")
def test_an_interrupted_share_waits_for_its_helpers() -> None:
    from gpugrad.backends.cpu import threads

    at_work, go_on, left = threading.Event(), threading.Event(), []

    def work(supply: Any) -> None:
        for _ in supply:
            if threading.current_thread() is threading.main_thread():
                at_work.wait(10)
                go_on.set()
                raise KeyboardInterrupt
            at_work.set()
            go_on.wait(10)
            left.append("helper")

    with pytest.raises(KeyboardInterrupt):
        threads.share(work, [1, 2], 2)
    assert left == ["helper"]


@pytest.mark.usefixtures("native")
def test_threads_that_cannot_be_started_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpugrad.backends.cpu import threads

    threads._forget()
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no more threads")))
    done: list[int] = []
    for _ in range(2):
        threads.share(done.extend, [1, 2, 3], 3)
    assert sorted(done) == [1, 1, 2, 2, 3, 3]


@pytest.mark.usefixtures("native")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    code = (
        "import os, threading, gpugrad as gg\nstop = False\n"
        "def busy():\n  while not stop: (gg.tanh(gg.ones(100_000) * 2).sum()).item()\n"
        "t = threading.Thread(target=busy); t.start()\n"
        "for _ in range(8):\n  pid = os.fork()\n"
        "  if pid == 0: os._exit(0 if (gg.ones(100_000) * 3).sum().item() == 300_000 else 1)\n"
        "  assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "stop = True; t.join(); print('done')"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.usefixtures("fused", "on_cpu")  # no process that has used a GPU can fork and use it
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fork_after_a_run_in_blocks() -> None:
    # In a fresh interpreter: one that has started threads of JAX must not fork.
    import subprocess

    script = """
import os, numpy as np, gpugrad as gg
gg.config.threads = 2
x = gg.tensor(np.ones(500_000), requires_grad=True)
gg.wait(gg.sin(x))
pid = os.fork()
if pid == 0:
    ok = gg.cos(x).sum().item() == gg.cos(gg.tensor(np.ones(500_000))).sum().item()
    os._exit(0 if ok else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], timeout=60, check=False)
    assert done.returncode == 0

"""The threads of the compiled driver: no more than asked, no signals, no races."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from gpugrad.backends.cpu import compiler
from gpugrad.codegen import body as codegen

pytestmark = pytest.mark.usefixtures("native")

# Several threads share work again and again, some at once; every piece is done once, and before `share` returns.
RACES = """
typedef long long int64;
#include "pool.h"
#include <stdio.h>
constexpr int64 PIECES = 64, ROUNDS = %d;
struct Task { int64 next, done[PIECES]; };
static void take(void* context) {
    Task& t = *static_cast<Task*>(context);
    for (int64 n; (n = add(t.next, 1) - 1) < PIECES;) t.done[n] += n + 1;  // not atomic: no other may touch it
}
static void* caller(void* failed) {
    for (int64 round = 0; round < ROUNDS; ++round) {
        Task task = {};
        share(take, &task, 1 + round %% 3);
        for (int64 n = 0; n < PIECES; ++n)
            if (task.done[n] != n + 1) *static_cast<int64*>(failed) = 1;
        if (round %% 64 == 0) for (int64 n = 0; n < 2 * SPIN; ++n) relax();  // now and then they go to sleep
    }
    return nullptr;
}
int main() {
    int64 failed[3] = {};
    pthread_t threads[2];
    for (int n = 0; n < 2; ++n) pthread_create(threads + n, nullptr, caller, failed + n);
    caller(failed + 2);
    for (int n = 0; n < 2; ++n) pthread_join(threads[n], nullptr);
    printf("%%s %%d\\n", failed[0] || failed[1] || failed[2] ? "wrong" : "right", pool.started <= 3);
}
"""


def _built(folder: Path, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    source, program = folder / "pool.cpp", folder / "pool"
    source.write_text(text)
    made = subprocess.run(
        [*compiler.compiler(), "-std=c++17", "-O1", "-g", *flags, "-pthread", f"-I{codegen.folder()}", str(source), "-o", str(program)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if made.returncode:
        return made
    return subprocess.run([str(program)], capture_output=True, text=True, timeout=120, check=False)


def _under_thread_sanitizer(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    plain = _built(folder, "int main() {}", "-fsanitize=thread")
    if plain.returncode:
        pytest.skip(f"this compiler has no thread sanitizer that works here: {plain.stderr[-200:]}")
    return _built(folder, text, "-fsanitize=thread")


def test_every_piece_of_shared_work_is_done_once(tmp_path: Path) -> None:
    done = _built(tmp_path, RACES % 20000)
    assert done.stdout.split() == ["right", "1"], done.stderr


def test_there_are_no_races(tmp_path: Path) -> None:
    done = _under_thread_sanitizer(tmp_path, RACES % 500)
    assert done.stdout.split() == ["right", "1"], done.stderr[-2000:]


def test_the_sanitizer_would_notice_one(tmp_path: Path) -> None:
    """A planted error: whoever shared the work does not wait for those who are at it."""
    waits = "for (int64 n = 0; load(pool.state); ++n) n < SPIN ? relax() : void(sched_yield());"
    text = (codegen.folder() / "pool.h").read_text()
    assert waits in text
    meet = (
        "add(t.seen, 1); for (int n = 0; n < 1000 && load(t.seen) < 2; ++n) sched_yield();"  # so that there is somebody
    )
    broken = (RACES % 500).replace('#include "pool.h"', text.replace(waits, ""))
    broken = broken.replace("int64 next,", "int64 seen, next,").replace(
        "    for (int64 n; (n", f"    {meet}\n    for (int64 n; (n"
    )
    done = _under_thread_sanitizer(tmp_path, broken)
    assert "data race" in done.stderr or "wrong" in done.stdout


TASKS = """
import os, re, signal, threading, numpy as np, gpugrad as gg
def tasks():
    return {t for t in os.listdir("/proc/self/task")}
gg.config.threads = 3
x = gg.tensor(np.ones(500_000))
small = gg.sin(gg.ones(1000)) * 2
gg.wait(small)
before = tasks()
for _ in range(3):
    gg.wait(gg.sin(x) * 2)
new = tasks() - before
blocked = [int(re.search(r"SigBlk:\\s*(\\w+)", open(f"/proc/self/task/{t}/status").read())[1], 16) for t in new]
wanted = 1 << signal.SIGINT - 1 | 1 << signal.SIGTERM - 1 | 1 << signal.SIGCHLD - 1
print(len(new), all(b & wanted == wanted for b in blocked))
pid = os.fork()
if pid == 0:
    gg.wait(gg.sin(x) * 2)
    os._exit(0 if len(tasks()) == 3 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list its threads in /proc")
def test_there_are_as_many_threads_as_asked_and_none_takes_signals() -> None:
    environment = {**os.environ, "GPUGRAD_CPU": "native", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TASKS], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == ["2", "True", "0"], done.stderr

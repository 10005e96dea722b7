"""A check of a real GPU in at most 7 minutes: what `ci/gpu.sh --quick` runs. The checks themselves are in gpu_checks.py.

    python ci/gpu_quick.py                  needs gpugrad[dev,cuda13] (or cuda12); PyTorch and JAX are used where installed
    python ci/gpu_quick.py --rehearse       on an emulated GPU, with tiny sizes, to see that it runs

The checks are in groups. A group is a process of its own, which says what it found line by line; every result is in the
report, benchmarks/results/gpu-quick.md, as soon as it is known. Nothing stops the rest: a check that fails is reported with
the end of its traceback; one that takes longer than it may is killed, as is one that ends the process or leaves the GPU
unusable, and the group goes on in a new process with the check after it. No group takes time from those after it.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import faulthandler
import importlib.metadata
import importlib.util
import inspect
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHECKS = Path(__file__).with_name("gpu_checks.py")
STARTING = 60  # seconds in which a process imports what it needs and finds the GPU
SHOWN = 6  # cases of one check that are reported with a traceback
LINES = 14  # of a traceback, and of what a process said last
PACKAGES = (
    "numpy", "cupy-cuda13x", "cupy-cuda12x", "nvidia-cuda-nvrtc", "nvidia-cublas", "torch", "jax", "ml_dtypes", "pytest", "hypothesis"
)  # fmt: skip


def load(path: Path) -> Any:
    """The module of checks in a file: GROUPS, prepare() and healthy()."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------- the process of a group


def group(module: Any, name: str, first: int, rehearse: bool, cases: int) -> None:
    """Run the checks of a group, from one on, and say what becomes of them: a line of JSON each time, on what was stdout."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes where errors go

    def say(**message: Any) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    faulthandler.enable()
    module.prepare(rehearse, cases)
    say(what="ready")
    for n, (_, seconds, function) in list(enumerate(module.GROUPS[name][1]))[first:]:
        say(what="begin", check=n)
        faulthandler.dump_traceback_later(max(seconds - 0.5, 0.5))  # where it hangs, for the report
        healthy = True
        start = time.perf_counter()
        status, why, tried, failed = "passed", "", 0, 0
        try:
            found = function()
            for item in found if inspect.isgenerator(found) else ():
                if isinstance(item, str):
                    say(what="note", text=item)
                    continue
                label, run = item
                say(what="case", text=label)
                tried += 1
                try:
                    run()
                except unittest.SkipTest:
                    raise
                except Exception as e:
                    failed += 1
                    say(what="problem", text=f"{label}: {first_line(e)}", trace=trace() if failed <= SHOWN else [])
                    healthy = module.healthy()
                    if not healthy:
                        break
        except unittest.SkipTest as e:
            status, why = "not run", str(e)
        except Exception as e:
            failed += 1
            say(what="problem", text=first_line(e), trace=trace())
            healthy = module.healthy()
        faulthandler.cancel_dump_traceback_later()
        if failed:
            status = "failed"
        say(what="end", status=status, why=why, tried=tried, failed=failed, seconds=time.perf_counter() - start)
        if not healthy:
            os._exit(0)  # nothing more can be found out in this process, and ending in the usual way might hang
    say(what="done")
    channel.close()
    os._exit(0)


def first_line(e: BaseException) -> str:
    text = " ".join(str(e).split())
    return f"{type(e).__name__}: {text[:300]}"


def trace() -> list[str]:
    return traceback.format_exc().strip().splitlines()[-LINES:]


# ------------------------------------------------------------------------------------------------------- the report


class Result:
    """What became of one check. status: "passed", "failed" or "not run"."""

    def __init__(self, group: str, name: str, seconds: float) -> None:
        self.group, self.name, self.limit = group, name, seconds
        self.status = "not run"
        self.seconds = 0.0
        self.tried = self.failed = 0
        self.case = ""  # the one that is being tried
        self.notes: list[str] = []
        self.problems: list[tuple[str, list[str]]] = []

    def __repr__(self) -> str:
        return f"{self.group}: {self.name}: {self.status} {self.problems or ''}"

    def words(self) -> str:
        counted = f"{self.tried - self.failed} of {self.tried} cases" if self.tried else ""
        return "; ".join(filter(None, [counted, *(n for n in self.notes if not n.startswith("|"))]))


class Report:
    """The file, written anew whenever something is known."""

    def __init__(self, path: Path, results: list[Result], title: str, table: str) -> None:
        self.path, self.results, self.title, self.table = path, results, title, table
        self.state = "It is still running, or was ended from outside."
        self.start = time.monotonic()

    def write(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")
        new.replace(self.path)

    def summary(self) -> list[str]:
        lines = ["| | passed | failed | not run | seconds |", "| --- | --- | --- | --- | --- |"]
        for name in [*dict.fromkeys(r.group for r in self.results), ""]:
            members = [r for r in self.results if not name or r.group == name]
            counts = [sum(r.status == s for r in members) for s in ("passed", "failed", "not run")]
            lines.append(
                f"| {name or 'all'} | {' | '.join(map(str, counts))} | {sum(r.seconds for r in members):.0f} |"
            )
        return lines

    def lines(self) -> Iterator[str]:
        yield from [f"# {self.title}", "", f"{self.state} {time.monotonic() - self.start:.0f} s.", ""]
        yield from [*header(), "", *self.summary()]
        for name in dict.fromkeys(r.group for r in self.results):
            members = [r for r in self.results if r.group == name]
            yield from ["", f"## {name}", "", "| check | | s | |", "| --- | --- | --- | --- |"]
            for r in members:
                text = r.words().replace("|", "\\|").replace("\n", " ")
                yield f"| {r.name} | {'**failed**' if r.status == 'failed' else r.status} | {r.seconds:.1f} | {text} |"
            rows = [n for r in members for n in r.notes if n.startswith("|")]
            if rows:
                columns = rows[0].count("|") - 1
                yield from ["", self.table, "|" + " --- |" * columns, *rows]
            for r in members:
                if r.problems:
                    yield from ["", f"**{r.name}**", "", "```"]
                    for text, lines in r.problems:
                        yield from [text, *("    " + line for line in lines)]
                    yield "```"


def header() -> list[str]:
    """Date, commit, GPU, driver and versions."""

    def ask(*command: str) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20, cwd=ROOT)
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    if not _header:
        commit = ask("git", "rev-parse", "--short", "HEAD") or os.environ.get("COMMIT") or "unknown"
        changed = " with changes" if ask("git", "status", "--porcelain", "--untracked-files=no") else ""
        gpu = ask("nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.used", "--format=csv,noheader")
        versions = [f"Python {platform.python_version()}"]
        for name in PACKAGES:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions.append(f"{name} {importlib.metadata.version(name)}")
        _header.extend(
            [
                f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {commit}{changed}.",
                f"GPU, driver, memory, memory in use: {gpu or 'there is no nvidia-smi'}.",
                f"{', '.join(versions)}.",
            ]
        )
    return _header


_header: list[str] = []


# ------------------------------------------------------------------------------------------------------ supervision


class Run:
    """One process of a group, and what it says."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONFAULTHANDLER": "1"}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, cwd=ROOT, env=environment,
                start_new_session=True,
            )  # fmt: skip
        self.said: queue.Queue[Any] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self.said.put(json.loads(line))
            except ValueError:
                continue  # cut off in the middle
        self.said.put(None)

    def kill(self) -> None:
        """End it with whatever it has started; not waiting for what cannot be ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.reader.join(5)
        if self.process.stdout is not None and not self.reader.is_alive():
            self.process.stdout.close()

    def last_words(self) -> list[str]:
        """The end of what it said; of a thread that hangs or died, where it is, which comes first."""
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        for n in range(len(lines) - 1, max(len(lines) - 100, -1), -1):
            if lines[n].startswith(("Thread 0x", "Current thread 0x")):
                return lines[n + 1 :][:LINES]
        return lines[-LINES:]


class Supervisor:
    """Runs the groups, each before its deadline, and reports."""

    def __init__(self, module: Any, path: Path, report: Report, command: list[str], logs: Path) -> None:
        self.module, self.path, self.report, self.command, self.logs = module, path, report, command, logs
        self.running: Run | None = None

    def run(self) -> None:
        deadline = time.monotonic()
        for name, (seconds, _) in self.module.GROUPS.items():
            deadline += seconds
            self.group(name, [r for r in self.report.results if r.group == name], deadline)
        self.report.state = "Done."
        self.report.write()

    def group(self, name: str, results: list[Result], deadline: float) -> None:
        print(f"\n== {name}", flush=True)
        first, starts = 0, True
        while starts and first < len(results) and deadline - time.monotonic() > 2:
            before, first = first, self.process(name, results, first, deadline)
            starts = first > before
        if not starts:  # the one that it was started for is reported, the others would not start either
            first += 1
        for r in results[first:]:
            r.notes.append("no time was left" if starts else "the process of its group does not start")
            self.tell(r)

    def process(self, name: str, results: list[Result], first: int, deadline: float) -> int:
        """Run the checks from `first` on in one process; returns the one to go on with: `first` itself if it did not start."""
        command = [*self.command, "--child", name, "--from", str(first)]
        run = self.running = Run(command, self.logs / f"{''.join(c if c.isalnum() else '-' for c in name)}.log")
        try:
            return self.listen(run, results, first, deadline)
        finally:
            run.kill()
            self.running = None

    def listen(self, run: Run, results: list[Result], first: int, deadline: float) -> int:
        current: Result | None = None
        following = first
        started = time.monotonic()
        limit = STARTING
        while True:
            ends = min(started + limit, deadline)
            try:
                message = run.said.get(timeout=max(ends - time.monotonic(), 0.01))
            except queue.Empty:
                late = True
            else:
                late = False
            if late or message is None:
                r = current or (results[first] if following == first else None)
                if r is not None:
                    r.seconds = time.monotonic() - started
                    self.lost(run, r, current is not None, late, deadline <= started + limit)
                return following
            what = message.pop("what")
            if what == "begin":
                current = results[message["check"]]
                following = message["check"] + 1
                started, limit = time.monotonic(), current.limit
            elif what == "done":
                return len(results)
            elif current is not None:
                self.take(current, what, message)
                if what == "end":
                    current, limit = None, STARTING
                    started = time.monotonic()

    def take(self, r: Result, what: str, message: Any) -> None:
        if what == "note":
            r.notes.append(message["text"])
            print(f"    {message['text']}", flush=True)
        elif what == "case":
            r.case = message["text"]
            return
        elif what == "problem":
            r.problems.append((message["text"], message["trace"]))
            print(f"    {message['text']}", flush=True)
        elif what == "end":
            r.status, r.tried, r.failed, r.seconds = (message[k] for k in ("status", "tried", "failed", "seconds"))
            r.notes += filter(None, [message["why"]])
            self.tell(r)
        self.report.write()

    def lost(self, run: Run, r: Result, begun: bool, late: bool, for_time: bool) -> None:
        """A check took longer than it may, or its process has ended."""
        at = f", at {r.case}" if r.case else ""
        if late and for_time:
            r.notes.append(f"cut off when the time of its group was over{at}")
            r.status = "failed" if r.problems else "not run"
        else:
            if late:
                time.sleep(0.2)  # the last words may just be on their way
                why = (
                    f"still running after {r.seconds:.0f} s"
                    if begun
                    else f"the process did not start in {r.seconds:.0f} s"
                )
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.process.wait(5)
                why = f"the process ended{'' if begun else ' before it had started'}, with status {run.process.returncode}"
            r.status = "failed"
            r.problems.append((why + at, run.last_words()))
        self.tell(r)

    def tell(self, r: Result) -> None:
        print(f"{r.status:>8}  {r.name}  {r.seconds:.1f} s  {r.words() if r.tried or r.status == 'not run' else ''}", flush=True)  # fmt: skip
        for text, _ in r.problems if r.status == "failed" else []:
            print(f"          {text}", flush=True)
        self.report.write()


def run(
    rehearse: bool = False, checks: Path = CHECKS, report: Path | None = None, cases: int = 0, only: str = ""
) -> list[Result]:
    """Run every check and write the report; returns the results."""
    module = load(checks)
    for name in [n for n in module.GROUPS if only.lower() not in n.lower()]:
        del module.GROUPS[name]
    logs = Path(tempfile.mkdtemp(prefix="gpugrad-quick-"))
    if report is None:
        report = logs / "report.md" if rehearse else ROOT / "benchmarks" / "results" / "gpu-quick.md"
    report.parent.mkdir(parents=True, exist_ok=True)
    results = [Result(g, name, seconds) for g, (_, found) in module.GROUPS.items() for name, seconds, _ in found]
    title = "Rehearsal of the quick check, without a GPU" if rehearse else "Quick check on a GPU"
    written = Report(report, results, title, getattr(module, "TABLE", "| |"))
    written.write()
    print("\n".join(header()), flush=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--checks", str(checks), "--cases", str(cases)]
    supervisor = Supervisor(module, checks, written, [*command, "--rehearse"] if rehearse else command, logs)
    try:
        supervisor.run()
    except BaseException:
        if supervisor.running is not None:
            supervisor.running.kill()
        written.state = "It was ended from outside."
        written.write()
        raise
    print("\n" + "\n".join(written.summary()) + f"\n\nThe report is {report}; what the processes said is in {logs}.", flush=True)  # fmt: skip
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description="A check of a GPU in at most 7 minutes.")
    parser.add_argument("--rehearse", action="store_true", help="on an emulated GPU, with tiny sizes")
    parser.add_argument(
        "--cases", type=int, default=0, help="the most cases of one check (default: all; 2 in a rehearsal)"
    )
    parser.add_argument("--only", default="", help="the groups with this in their names")
    parser.add_argument("--report", type=Path, help="the file to write (default: benchmarks/results/gpu-quick.md)")
    parser.add_argument("--checks", type=Path, default=CHECKS, help="a file of other checks (for tests)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="first", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        group(load(args.checks), args.child, args.first, args.rehearse, args.cases)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = run(args.rehearse, args.checks, args.report, args.cases, args.only)
    return int(any(r.status == "failed" for r in results))


if __name__ == "__main__":
    sys.exit(main())

"""The quick check of a real GPU (ci/gpu_quick.py), rehearsed: that every check is reported, and that nothing stops the rest."""

from __future__ import annotations

import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest
from cuda_helpers import NEEDS
from helpers import ROOT

pytestmark = [
    *NEEDS,
    pytest.mark.usefixtures("on_cpu"),
    pytest.mark.skipif(sys.platform == "win32", reason="it is for Linux"),
]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where what the processes say is kept
    monkeypatch.syspath_prepend(str(ROOT / "ci"))
    import gpu_quick

    return gpu_quick


def test_the_rehearsal_reports_every_check_and_none_fails(quick: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    results = quick.run(rehearse=True, report=report, cases=1)
    text = report.read_text()
    groups = quick.load(quick.CHECKS).GROUPS
    assert [(r.group, r.name) for r in results] == [(g, name) for g, (_, found) in groups.items() for name, *_ in found]
    assert sum(seconds for seconds, _ in groups.values()) < 7 * 60
    assert not [r for r in results if r.status == "failed"]
    for r in results:
        assert r.status == "passed" or r.notes[-1] in ("it takes a driver", "there is no nvidia-smi"), r
        assert f"| {r.name} | {r.status} |" in text
    assert sum(r.status == "passed" for r in results) > 25
    for row in ("| chain, 1e+03, float32 |", "| sum of ", "| training step", "| Adam"):
        assert row in text
    assert "\nDone. " in text


PLANTED = """
    import os, time, unittest

    def fails():
        yield "a note"
        yield "good", lambda: None
        yield "bad", lambda: [][0]
        yield "good again", lambda: None

    def hangs():
        yield "waiting", lambda: time.sleep(3600)

    def dies():
        yield "dying", lambda: os.abort()

    def breaks():
        global broken
        broken = True
        raise ValueError("nothing works from here on")

    def works():
        assert not broken
        yield "| a | row |"

    def skips():
        raise unittest.SkipTest("not here")

    broken = False
    prepare = lambda rehearse, cases: None
    healthy = lambda: not broken
    GROUPS = {
        "Slow": (5, [("takes all", 60, hangs), ("never begun", 5, works)]),
        "First": (60, [("fails", 5, fails), ("hangs", 1, hangs), ("dies", 5, dies), ("breaks", 5, breaks), ("works", 5, works)]),
        "Second": (60, [("skips", 5, skips), ("works here", 5, works)]),
    }
"""


def test_what_fails_hangs_or_dies_does_not_stop_the_rest(quick: Any, tmp_path: Path) -> None:
    checks = tmp_path / "planted.py"
    checks.write_text(textwrap.dedent(PLANTED))
    report = tmp_path / "report.md"
    takes_all, never, fails, hangs, dies, breaks, works, skips, works_here = quick.run(checks=checks, report=report)
    assert (fails.status, fails.tried, fails.failed, fails.notes) == ("failed", 3, 1, ["a note"])
    assert fails.problems[0][0] == "bad: IndexError: list index out of range"
    assert "[][0]" in "\n".join(fails.problems[0][1])
    assert hangs.status == "failed"
    assert hangs.problems[0][0] == "still running after 1 s, at waiting"
    assert "planted.py" in hangs.problems[0][1][0]  # where it hangs
    assert dies.status == "failed"
    assert dies.problems[0][0] == "the process ended, with status -6, at dying"
    assert breaks.problems[0][0] == "ValueError: nothing works from here on"
    assert (works.status, works.notes) == ("passed", ["| a | row |"])
    assert (skips.status, skips.notes) == ("not run", ["not here"])
    assert works_here.status == "passed"
    assert (takes_all.status, never.status) == ("not run", "not run")
    assert takes_all.notes == ["cut off when the time of its group was over, at waiting"]
    assert never.notes == ["no time was left"]
    text = report.read_text()
    assert "| all | 2 | 4 | 3 |" in text
    assert "\n| a | row |\n" in text


def test_a_group_that_does_not_start_is_reported_once(quick: Any, tmp_path: Path) -> None:
    checks = tmp_path / "planted.py"
    checks.write_text(
        textwrap.dedent(PLANTED).replace("prepare = lambda rehearse, cases: None", "prepare = lambda *_: 1 / 0")
    )
    results = quick.run(checks=checks, report=tmp_path / "report.md", only="first")
    assert [r.status for r in results] == ["failed", *["not run"] * 4]
    assert results[0].problems[0][0] == "the process ended before it had started, with status 1"
    assert results[0].problems[0][1][-1] == "ZeroDivisionError: division by zero"
    assert {r.notes[-1] for r in results[1:]} == {"the process of its group does not start"}

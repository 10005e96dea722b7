"""The command line: info, explain, graph, and errors in one clear line."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from gpugrad import __main__
from gpugrad.__main__ import main
from gpugrad.base import gpus


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["info"]) == 0
    out = capsys.readouterr().out
    assert "executors on the CPU" in out
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert __main__.main(["demo", "--out", str(blocked / "x")]) == 1
    assert "cannot write to the folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["demo", "--epochs", "0"])


@pytest.mark.skipif(not gpus.why_no_cuda(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert "cuda    not available" in capsys.readouterr().out
    done = subprocess.run([sys.executable, "-m", "gpugrad", "demo", "--device", "cuda", "--out", str(tmp_path)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "not available" in done.stderr


def test_explain_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "sin(x*y)", "x=2", "y=3"]) == 0
    out = capsys.readouterr().out
    for part in (
        "f = sin(z1) = -0.279415",
        "∂f/∂x = ∂f/∂z1 · ∂z1/∂x",
        "= cos(z1) · y",
        "= 2.88051",
        "= 1.92034",
        "flowchart TD",
        "((x))",
        "[sin]",
    ):
        assert part in out, part
    assert out.count("z1 = x * y = 6") == 1
    assert main(["explain", "x*x", "x=2", "y=3"]) == 0
    assert "∂f/∂y = 0: the expression does not depend on y" in capsys.readouterr().out
    assert main(["explain", "sin(f) * z1", "f=2", "z1=3"]) == 0  # what the graph would call its own variables
    assert "∂f1/∂f = ∂f1/∂z2 · ∂z2/∂f" in capsys.readouterr().out
    assert main(["explain", "x", "x=2"]) == 0
    assert "∂x/∂x" in capsys.readouterr().out
    assert main(["explain", "2**3", "x=1"]) == 0
    assert "f = 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "not of the form name=number"), ("x=a", "'a' is not a number"), ("2=3", "not a name"), ("sin=3", "is a function"), ("é=1", "not a name"),
        ("__x=1", "not a name"), ("x=", "is not a number"),
    ],
)  # fmt: skip
def test_bad_variables(given: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "1", given]) == 1
    assert message in capsys.readouterr().err
    assert main(["explain", "x", "x=1", "x=2"]) == 1
    assert "twice" in capsys.readouterr().err


def test_graph_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending, start in (("svg", "<svg"), ("dot", "digraph"), ("mmd", "flowchart")):
        path = tmp_path / f"g.{ending}"
        assert main(["graph", "sin(x*y)", "x=2", "y=3", "-o", str(path)]) == 0
        assert path.read_text().startswith(start)
    xml.etree.ElementTree.parse(tmp_path / "g.svg")
    capsys.readouterr()
    assert main(["graph", "x", "x=2", "-o", str(tmp_path / "g.gif")]) == 1
    assert ".svg" in capsys.readouterr().err
    assert main(["graph", "x", "x=2", "-o", str(tmp_path / "nowhere" / "g.svg")]) == 1
    assert "nowhere" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "cairosvg", None)
    assert main(["graph", "x", "x=2", "-o", str(tmp_path / "g.png")]) == 1
    assert "rsvg-convert" in capsys.readouterr().err
    assert not (tmp_path / "g.png").exists()

"""The demo learns, writes what it promises, and can be interrupted."""

from __future__ import annotations

import os
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import __main__
from gpugrad.cli import demo


def test_demo_learns_and_writes_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = demo.run(str(tmp_path), seed=1, epochs=3, quiet=True)
    assert accuracy > 0.85
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.svg", "history.png", "weights.safetensors"]
    assert (tmp_path / "history.png").read_bytes()[:4] == b"\x89PNG"
    net = demo.model()
    net.load(tmp_path / "weights.safetensors")
    xml.etree.ElementTree.parse(tmp_path / "graph.svg")
    assert "test accuracy" in capsys.readouterr().out
    assert demo.run(str(tmp_path), seed=1, epochs=3, quiet=True) == accuracy


@pytest.mark.long_on_gpu
@pytest.mark.usefixtures("fused", "native")  # five trainings: once in all is enough
def test_demo_reaches_97_percent_on_average() -> None:
    from sklearn.datasets import load_digits

    parts = demo.split(load_digits())
    scores = []
    for seed in range(5):
        gg.random.seed(seed)
        net = demo.model()
        demo.train(net, parts, 40, seed, os.devnull, [(0, 0)], lambda it: it, True)
        scores.append(demo.score(net, *parts[2]))
    assert np.mean(scores) >= 0.97, scores


def test_interrupting_the_demo_leaves_loadable_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def interrupted(*args: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return original(*args)

    original = demo.step
    monkeypatch.setattr(demo, "step", interrupted)
    assert __main__.main(["demo", "--out", str(tmp_path), "--epochs", "2"]) == 130
    demo.model().load(tmp_path / "weights.safetensors")

"""Any string can be the name of a tensor: every picture is well-formed, and shows it readably."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.graph import Graph
from gpugrad.plans.notation import latex_name, readable

# Text with everything: Hypothesis leaves surrogates out unless they are asked for.
TEXT = st.text(
    st.characters(exclude_categories=())
    | st.sampled_from("\0\n\r\t\x1b\x7f\ud800\udfff\ufffe\u2028\u202e&<>\"'\\]#;{}%$^~_ "),
    min_size=1,
)
NASTY = [
    "a\x00b", "\ud800", "\ud83d\ude00", "\n", "\r\n", "]]>", "<!--", "--><script>alert(1)</script>", "&amp;", "&#0;", 'say "x"', "\\", "\\N",
    "end", "x.end", "a end b", "#quot;", "]", "))", "{x}", "\x1b[2J", "\u202egnp", "\ufffe", "\u2028", "θ", "𝑥", "²", "e\u0301", "/*DATA*/",
    "%d", "$x$", " ",
]  # fmt: skip


def every(strategy: object) -> object:
    for name in NASTY:
        strategy = example(name)(strategy)  # type: ignore[arg-type]
    return strategy


def drawn(name: str) -> Graph:
    x = gg.tensor(2.0, requires_grad=True, name=name)
    return gg.sin(x * 3).graph()


def texts(root: xml.etree.ElementTree.Element) -> list[str]:
    return [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text")]


@every
@given(TEXT)
def test_every_format_is_well_formed(name: str) -> None:
    graph, shown = drawn(name), readable(name)
    assert shown.isprintable()
    assert graph[name].label == shown  # data has it as it was given

    assert shown in texts(xml.etree.ElementTree.fromstring(graph.to_svg().encode()))

    page = graph.to_html()
    page.encode("ascii", "xmlcharrefreplace")
    assert page.count("</script>") == 2
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    data = json.loads(data)
    assert data["nodes"]["0"]["title"] == shown
    assert shown in texts(xml.etree.ElementTree.fromstring(data["views"][0]["svg"]))
    assert all(s.isprintable() for s in strings(data["nodes"]))

    lines = graph.to_mermaid().encode().decode().split("\n")
    (label,) = re.fullmatch(r"    n0\(\(((?:[A-Za-z0-9._]|#[0-9]+;)+)\)\):::leaf", lines[1]).groups()  # type: ignore[union-attr]
    assert not re.search(r"\bend\b", label)
    assert re.sub("#([0-9]+);", lambda m: chr(int(m[1])), label) == shown
    assert len(lines) == len(drawn("x").to_mermaid().split("\n"))

    lines = graph.to_dot().encode().decode().split("\n")
    (label,) = (
        m[1] for line in lines if (m := re.fullmatch(r'\s*n0 \[label="((?:[^"\\]|\\["\\])*)", shape=.*\]', line))
    )
    assert html.unescape(re.sub(r"\\(.)", r"\1", label)) == shown
    assert len(lines) == len(drawn("x").to_dot().split("\n"))

    assert repr(graph).isprintable()


def strings(data: object) -> list[str]:
    if isinstance(data, dict):
        return [s for v in data.values() for s in strings(v)]
    return [s for v in data for s in strings(v)] if isinstance(data, list) else [data] if isinstance(data, str) else []


@every
@given(TEXT)
def test_explanations_are_lines_that_can_be_printed(name: str) -> None:
    x, y = gg.tensor(2.0, requires_grad=True, name=name), gg.tensor(2.0, requires_grad=True, name=f"{name}\0y")
    f = gg.sin(x * y) * x
    f.name = f"{name}!"
    e = gg.explain(f, x)
    text = str(e)
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) == 15
    assert f"∂{readable(name)}!/∂{readable(name)} is the sum over 2 paths" in text
    latex = e.to_latex()
    latex.encode()
    assert all(line.isprintable() for line in latex.split("\n"))
    assert balanced(latex)
    assert latex_name(name) in latex


def balanced(latex: str) -> bool:
    depth = 0
    for c in re.sub(r"\\[{}\\%$#&_]", "", latex):
        depth += (c == "{") - (c == "}")
        assert depth >= 0
        assert c not in "%$#~"
    return depth == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x00b", r"a\x00b"), ("\ud800", r"\ud800"), ("a\nb", r"a\nb"), ("\u202eb", r"\u202eb"), ("θ", "θ"), ("a b", "a b"), ("e\u0301", "e\u0301")],
)  # fmt: skip
def test_what_is_shown(name: str, shown: str) -> None:
    assert readable(name) == shown
    assert shown in str(gg.explain(gg.sin(x := gg.tensor(1.0, requires_grad=True, name=name)), x))


@pytest.mark.parametrize("ending", ["svg", "html", "dot", "mmd"])
def test_files_can_be_written(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"g.{ending}"
    drawn("\ud800\0").save(path)
    assert "\0" not in path.read_text(encoding="utf-8")


def test_modules_and_functions_with_odd_names() -> None:
    net = gg.nn.Sequential(*(gg.nn.Tanh() for _ in range(100)))
    body = gg.nn.Module()
    for k, layer in enumerate(net.layers):
        setattr(body, f"part\0{k % 7}", layer)
        layer.__dict__["more\ud800"] = gg.nn.Tanh()
    x = gg.tensor([1.0], requires_grad=True)
    y = x
    for k in range(100):
        y = getattr(body, f"part\0{k % 7}")(y)
    graph = y.sum().graph()
    assert len(graph) > 150
    xml.etree.ElementTree.fromstring(graph.to_svg().encode())
    page = graph.to_html()
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert all(s.isprintable() for v in json.loads(data)["views"] for s in [v["title"], *strings(v["groups"])])
    with pytest.raises(KeyError, match=r"there are .*\\\\x00"):
        drawn("a\0")["b"]

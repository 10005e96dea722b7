"""The computational graph as data, and its pictures."""

from __future__ import annotations

import copy
import itertools
import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.graph import Graph, Node
from gpugrad.graph.fold import Group, fold, views
from gpugrad.graph.layout import Extent, layout
from gpugrad.nn import functional as F


def leaf(value: Any, name: str | None = None) -> gg.Tensor:
    return gg.tensor(value, dtype=float, requires_grad=True, name=name)


def network() -> tuple[gg.nn.Module, gg.Tensor]:
    net = gg.nn.Sequential(gg.nn.Linear(2, 3), gg.nn.ReLU(), gg.nn.Linear(3, 2))
    return net, F.cross_entropy(net(gg.ones((4, 2), dtype="float32")), [0, 1, 0, 1])


def structure(graph: Graph) -> list[tuple[str, str, list[Any]]]:
    return [(n.kind, n.label, [a.number if isinstance(a, Node) else a for a in n.operands]) for n in graph]


EXPECTED = [
    ("leaf", "x", []), ("leaf", "y", []), ("operation", "multiply", [0, 1]), ("intermediate", "z1", [2]),
    ("operation", "sin", [3]), ("root", "f", [4]),
]  # fmt: skip


def test_the_same_graph_pending_computed_and_after_backward() -> None:
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    f = gg.sin(x * y)
    assert structure(f.graph()) == EXPECTED  # pending until now
    f.backward(retain_graph=True)
    assert structure(f.graph()) == EXPECTED
    assert x.grad.item() == pytest.approx(3 * np.cos(6))
    f.backward()
    with pytest.raises(gg.errors.GraphError, match="retain_graph=True"):
        f.graph()


def test_what_a_node_knows() -> None:
    x = leaf([[1.0, 2.0]], "x")
    data = gg.tensor([3.0, 4.0])
    f = (x * data + 1).sum()
    graph = f.graph()
    by_label = {n.label: n for n in graph}
    assert (by_label["x"].kind, by_label["x"].requires_grad, by_label["x"].shape) == ("leaf", True, (1, 2))
    assert (by_label["x0"].kind, by_label["x0"].requires_grad) == ("leaf", False)
    plus = by_label["add(·, 1)"]
    assert plus.operands[1] == 1
    assert (plus.dtype, plus.device, plus.op) == (np.float64, str(x.device), "add")
    assert graph.root.op == "sum"
    assert graph["x"].value is x._value
    assert graph["x0"].value is data._value
    with pytest.raises(KeyError, match="there are x"):
        graph["q"]
    for n in graph.operations + [v for v in graph.variables if v.kind != "leaf"]:
        assert n.region is not None
    assert [n.number for n in reversed(graph)] == list(reversed(range(len(graph))))


def test_a_shared_variable_is_there_once_with_both_positions(fused: None) -> None:
    x = leaf(2.0, "x")
    graph = (x * x + x).graph()
    assert [n.kind for n in graph].count("leaf") == 1
    assert [e.position for e in graph.edges if e.source is graph["x"]] == [0, 1, 1]
    h = gg.exp(x)
    shared = (h.sum() * h).graph()  # one region ends at h: both of its users see one variable
    assert [n.label for n in shared].count("exp") == 1
    assert len(shared.leaves) == 1
    h = gg.exp(x)
    a, b = h * 2, h * 3
    del h  # two regions compute it, and nobody has it any more
    both = a.sum() * b.sum()
    del a, b
    labels = [(n.label, [p.label for p in n.operands if isinstance(p, Node)]) for n in both.graph()]
    assert labels[3:] == [
        ("multiply(·, 2)", ["z1"]), ("z2", ["multiply(·, 2)"]), ("sum", ["z2"]), ("z3", ["sum"]),
        ("multiply(·, 3)", ["z1"]), ("z4", ["multiply(·, 3)"]), ("sum", ["z4"]), ("z5", ["sum"]),
        ("multiply", ["z3", "z5"]), ("f", ["multiply"]),
    ]  # fmt: skip


def test_one_computed_without_gradient_is_a_single_leaf() -> None:
    x = leaf(2.0)
    with gg.no_grad():
        y = gg.sin(x) * x
    (node,) = y.graph()
    assert (node.kind, node.requires_grad, node.operands) == ("leaf", False, ())
    (node,) = x.graph()
    assert (node.kind, node.requires_grad) == ("leaf", True)


def test_what_is_compared_or_detached_is_the_same_variable(fused: None) -> None:
    x = leaf([-1.0, 2.0], "x")
    graph = gg.where(x > 0, x, x.detach() * 3).sum().graph()
    assert [n.label for n in graph if n.kind == "leaf" and n.requires_grad] == ["x"]
    greater = next(n for n in graph.operations if n.op == "greater")
    assert not greater.requires_grad


def test_names() -> None:
    x = leaf(1.0)
    x.name = "angle"
    z = gg.sin(x)
    z.name = "sine"
    y = z * 2 + 1
    del z  # the name stays with the graph
    y.name = "result"
    assert [n.name for n in y.graph().variables] == ["angle", "sine", "z1", "result"]
    assert y.name == "result"
    with gg.no_grad():
        x += 1  # an update: the same name for another value
    assert x.name == "angle"
    assert (x * 1.5).graph().leaves[0].name == "angle"
    assert (x * 1.5).graph({"given": x}).leaves[0].name == "given"
    assert gg.tensor(1.0).name == ""
    for bad in ("", 3, None):
        with pytest.raises(gg.errors.DTypeError, match="name"):
            x.name = bad


def test_parameters_have_their_paths() -> None:
    class Net(gg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = gg.nn.Sequential(gg.nn.Linear(2, 3), gg.nn.Tanh())
            self.scale = gg.tensor(2.0, dtype="float32", requires_grad=True)

        def forward(self, x: Any) -> Any:
            return self.body(x) * self.scale

    net = Net()
    graph = net(gg.ones((4, 2), dtype="float32")).sum().graph()
    assert {n.name for n in graph.leaves if n.requires_grad} == {name for name, _ in net.named_parameters()}
    net, loss = network()
    assert {n.name for n in loss.graph().leaves if n.requires_grad} == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_paths_in_modules_that_name_their_children_themselves_and_in_copies() -> None:
    class Named(gg.nn.Sequential):
        def __init__(self) -> None:
            self.scale = gg.tensor(2.0, dtype="float32", requires_grad=True)  # before there are any layers
            super().__init__(gg.nn.Linear(2, 2))

        def forward(self, x: Any) -> Any:
            return super().forward(x) * self.scale

    net = gg.nn.Sequential(Named(), gg.nn.Tanh())
    x = gg.ones((1, 2), dtype="float32")
    names = {"0.0.weight", "0.0.bias", "0.scale"}
    for n in (net, copy.deepcopy(net)):
        assert {v.name for v in n(x).sum().graph().leaves if v.requires_grad} == names
    net.layers = (*net.layers, gg.nn.Linear(2, 1))  # a module that has been called already
    assert "2.weight" in {v.name for v in net(x).sum().graph().leaves}


def test_hidden_states_kept_as_attributes_rename_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net = gg.nn.Linear(2, 2)
    x = gg.ones((1, 2), dtype="float32")
    net(x)
    monkeypatch.setattr(net, "_give_paths", lambda: pytest.fail("the module was walked again"), raising=False)
    net.hidden = net(x)
    net(x)


def test_every_name_is_there_once() -> None:
    a, b, z = leaf(2.0, "w"), leaf(3.0, "w"), leaf(5.0, "z1")
    e = gg.explain(a * b * z, a)
    assert len({n.name for n in e.graph.variables}) == len(e.graph.variables) == 5
    assert eval(e.formula, {n: t.item() for n, t in e.values.items()}) == 15
    f = leaf(2.0, "f")
    assert [n.name for n in gg.sin(f).graph().variables] == ["f", "f1"]


def test_data_keeps_its_name_over_a_write() -> None:
    x = gg.tensor([1.0], name="data")
    x += 1
    x[0] = 5.0
    assert x.name == "data"


def test_graphs_over_two_devices(on_cpu: None) -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (gg.sin(x).to("cpu:1") * gg.ones(2, device="cpu:1")).to("cpu").sum()
    assert {n.device for n in y.graph()} == {"cpu", "cpu:1"}
    e = gg.explain(y, x)
    np.testing.assert_allclose(e.total.numpy(), np.cos([1.0, 2.0]))
    assert page_data(y.graph().to_html())["nodes"]["0"]["upstream"].startswith("an array of shape (2,)")


def test_nodes_out_of_order_are_refused() -> None:
    x = leaf(2.0)
    nodes = (x * x).graph().nodes
    with pytest.raises(gg.errors.GraphError, match="comes after"):
        Graph(nodes[::-1])


def test_nothing_is_kept_alive_by_what_a_graph_could_show(no_gc: None) -> None:
    import weakref

    x, data = leaf([1.0, 2.0]), gg.tensor([3.0, 4.0])
    y = (x + data).sum()
    y.item()
    seen = weakref.ref(data._value)
    del data
    assert seen() is None
    assert y.graph().leaves[1].value is None


def test_mermaid_and_dot() -> None:
    f = gg.sin(leaf(2.0, "x") * leaf(3.0, 'a "b"\\<c>'))
    text = f.graph().to_mermaid()
    assert "((x))" in text
    assert "[multiply]" in text
    assert "[sin]" in text
    assert '"' not in text
    assert "<c>" not in text
    assert r'label="a \"b\"\\<c>"' in f.graph().to_dot()


def test_svg_is_escaped_and_complete() -> None:
    f = gg.sin(leaf(2.0, '<x "1">&') * 2)
    for graph in (f.graph(), network()[1].graph()):
        picture = xml.etree.ElementTree.fromstring(graph.to_svg())
        groups = [g for g in picture if g.tag.endswith("}g")]
        assert [g.get("data-node") for g in groups] == [str(n.number) for n in graph]
        kinds = [g.get("class").split()[1] for g in groups]
        assert kinds.count("root") == 1
        texts = ["".join(t.itertext()) for g in groups for t in g if t.tag.endswith("text")]
        assert texts == [n.label for n in graph]
    assert graph._repr_svg_() == graph.to_svg()


def test_nothing_overlaps_and_nothing_is_cut_off() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 30, 300):
        edges = sorted({(int(rng.integers(max(0, b - 12), b)), b) for b in range(1, count) for _ in range(2)})
        extents = [Extent(*rng.uniform(10, 60, 2), 15.0) for _ in range(count)]
        plan = layout(extents, edges)
        rows: dict[float, list[tuple[float, float]]] = {}
        for (x, y), e in zip(plan.places, extents, strict=False):
            rows.setdefault(y, []).append((x - e.left, x + e.right))
            assert x - e.left > 0
            assert x + e.right < plan.width
            assert y - e.half > 0
            assert y + e.half < plan.height
        for row in rows.values():
            for (_, end), (start, _) in itertools.pairwise(sorted(row)):
                assert start > end
        for a, b in edges:
            assert plan.places[a][1] < plan.places[b][1]  # arrows point down


def loop(steps: int) -> gg.Tensor:
    w, h = gg.tensor([0.5, 0.7], requires_grad=True, name="w"), gg.ones(2)
    for _ in range(steps):
        h = gg.tanh(h * w + 0.1)
    return h.sum()


def page_data(page: str) -> Any:
    return json.loads(page.split('type="application/json">')[1].split("</script>")[0])


def test_large_graphs_are_folded_and_can_be_opened() -> None:
    graph = loop(830).graph()
    assert len(graph) > 4900
    small = fold(graph.nodes)
    assert len(small) <= 160
    Graph(small)  # no cycles
    assert small[-1].name == "f"
    every = views(graph.nodes, "all")
    shown = {n.number for v in every for n in v.nodes if not isinstance(n.step, Group)}
    assert shown == set(range(len(graph)))  # nothing is lost
    for v in every:
        assert len(v.nodes) <= 200
        Graph(v.nodes)
    whole = xml.etree.ElementTree.fromstring(graph.to_svg(fold=False))
    assert sum(g.tag.endswith("}g") for g in whole) == len(graph)
    assert len(graph.to_svg(fold=False)) < 6_000_000


def test_ten_thousand_nodes(fused: None) -> None:
    graph = loop(1700).graph()
    assert len(graph) > 10_000
    assert len(graph.to_svg()) < 200_000
    assert len(page_data(graph.to_html())["nodes"]) == len(graph)


def test_folded_by_module() -> None:
    class Block(gg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = gg.nn.Linear(4, 4), gg.nn.LayerNorm(4)

        def forward(self, x: Any) -> Any:
            return x + gg.tanh(self.linear(self.norm(x)))

    net = gg.nn.Sequential(*[Block() for _ in range(8)], gg.nn.Linear(4, 3))
    graph = F.cross_entropy(net(gg.ones((2, 4), dtype="float32")), [0, 2]).graph()
    assert {n.module for n in graph.operations} >= {"0", "0.linear", "0.norm", "7", "8", ""}
    titles = [n.op for n in fold(graph.nodes) if isinstance(n.step, Group)]
    assert any(t.startswith("3 (") for t in titles)
    assert any(t.startswith("outside modules (") for t in titles)
    after = (gg.ones(2, requires_grad=True) * 2).graph()
    assert {n.module for n in after.operations} == {""}  # no module is being called any more


def test_the_page_has_the_numbers_of_backward() -> None:
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    f = gg.sin(x * y) + gg.where(x > 1, gg.sqrt(x - 1), 0.0)
    data = page_data(f.graph().to_html())
    nodes = {n["title"]: n for n in data["nodes"].values()}
    f.backward()
    assert nodes["x"]["value"] == "2"
    assert nodes["x"]["upstream"] == f"{x.grad.item():.6g}"
    assert nodes["y"]["upstream"] == f"{y.grad.item():.6g}"
    (edge,) = nodes["sin"]["edges"]
    assert data["nodes"][str(nodes["z1"]["by"])]["title"] == "multiply"
    assert (edge["symbol"], edge["local"], edge["product"]) == ("cos(z1)", f"{np.cos(6):.6g}", f"{np.cos(6):.6g}")
    assert [e["operand"] for e in nodes["multiply"]["edges"]] == ["x", "y"]
    assert data["views"][0]["order"] == list(range(len(data["nodes"])))
    assert data["note"] == ""


def test_the_page_of_arrays_that_are_masked() -> None:
    x = leaf([0.0, 4.0], "x")
    f = gg.where(x > 0, gg.sqrt(x), 0.0).sum()
    nodes = {n["title"]: n for n in page_data(f.graph().to_html())["nodes"].values()}
    assert nodes["x"]["upstream"] == "an array of shape (2,): mean 0.125, from 0 to 0.25"


def test_a_page_is_escaped_and_says_what_was_left_out() -> None:
    bad = "</script><script>alert(1)</script>"
    page = gg.sin(leaf(2.0, bad)).graph().to_html()
    assert page.count("</script>") == 2
    assert page_data(page)["nodes"]["0"]["title"] == bad
    large = (gg.zeros(3_000_000, requires_grad=True) * 2).sum().graph()
    assert "6,000,001 elements" in page_data(large.to_html())["note"]
    assert "value" not in page_data(large.to_html())["nodes"]["0"]
    assert page_data(gg.tensor(2.0, name="x").graph().to_html())["nodes"]["0"]["value"] == "2"


def test_edges_that_run_together_are_drawn_once() -> None:
    extents = [Extent(10, 10, 10)] * 40
    edges = [(k, k + 1) for k in range(39)] + [(0, k) for k in range(2, 40)]
    plan = layout(extents, edges)
    assert len(plan.places) == 40 + 38  # one point in each layer, not one for each edge
    assert plan.way(0, 3) == [0, 40, 41, 3]


DOCS = Path(__file__).parents[2] / "docs" / "graph"


def pictures() -> dict[str, str]:
    """The pictures of docs/graph.md. Running this file draws them anew."""
    net = gg.nn.Sequential(gg.nn.Linear(2, 3), gg.nn.Tanh(), gg.nn.Linear(3, 1))
    loss = F.mse_loss(net(gg.ones((4, 2), dtype="float32")), gg.zeros((4, 1), dtype="float32"))
    x, u = leaf(2.0, "x"), leaf(0.5, "u")
    return {
        "seed.svg": gg.sin(leaf(2.0, "x") * leaf(3.0, "y")).graph().to_svg(),
        "network.svg": loss.graph().to_svg(),
        "shared.svg": (x * x + gg.exp(x)).graph().to_svg(),
        "forward.svg": gg.tanh(x * 3).graph().to_svg(),
        "paths.svg": (u * gg.exp(u)).graph().to_svg(),
        "second.svg": gg.autograd.grad(gg.square(x), x, create_graph=True)[0].graph().to_svg(),
    }


@pytest.mark.parametrize("name", sorted(p.name for p in DOCS.iterdir()))
def test_the_pictures_of_the_documentation_are_those_that_are_drawn(name: str, fused: None, on_cpu: None) -> None:
    assert (DOCS / name).read_text() == pictures()[name]


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        (DOCS / name).write_text(picture)

"""The chain rule written out: numbers against backward, symbols against SymPy, texts as they are read."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from structural_cases import CASES

import gpugrad as gg

BINARY = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "quotient": lambda a, b: a / (1 + b * b), "power": lambda a, b: (1 + a * a) ** 1.5 + b,
}  # fmt: skip
UNARY = {
    "sin": gg.sin, "tanh": gg.tanh, "exp": lambda a: gg.exp(-(a * a)), "arctan": gg.arctan, "square": gg.square, "sigmoid": gg.sigmoid,
    "log1p": lambda a: gg.log1p(a * a), "negative": lambda a: -a, "scaled": lambda a: 0.5 * a - 2, "silu": gg.silu, "softplus": gg.softplus,
}  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from([*BINARY, *UNARY]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7
)


def run(program: list[tuple[str, int, int]], inputs: list[gg.Tensor]) -> gg.Tensor:
    values = list(inputs)
    for name, i, j in program:
        a, b = values[i % len(values)], values[j % len(values)]
        values.append(BINARY[name](a, b) if name in BINARY else UNARY[name](a))
    return values[-1] * values[0]


@settings(max_examples=120)
@given(STEPS, st.sampled_from([(), (3,), (2, 3)]), st.sampled_from([(), (3,)]))
def test_the_sum_over_paths_is_the_gradient(program: Any, shape: Any, other: Any) -> None:
    r = np.random.default_rng(1)
    x = gg.tensor(r.uniform(-1, 1, shape), requires_grad=True, name="x")
    y = gg.tensor(r.uniform(-1, 1, other), requires_grad=True, name="y")
    f = run(program, [x, y])
    if f.shape:
        f = f.sum()
    e = gg.explain(f, x, max_paths=1000)
    f.backward()
    if e.count <= 1000:
        np.testing.assert_allclose(e.total.numpy(), x.grad.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(e.gradient.numpy(), x.grad.numpy())
    assert str(e)
    assert e.to_latex().count("{") == e.to_latex().count("}")


def symbolic(e: gg.explanation.Explanation, leaves: dict[str, Any]) -> tuple[Any, Any]:
    """The result, and the formula of its derivative, as SymPy reads what `explain` has written."""
    s: dict[str, Any] = {
        "reciprocal": lambda a: 1 / a, "square": lambda a: a**2, "cube": lambda a: a**3, "power": lambda a, b: a**b,
        "where": lambda c, a, b: sympy.Piecewise((a, c), (b, True)), "maximum": sympy.Max, "minimum": sympy.Min, "absolute": sympy.Abs,
        "arctan": sympy.atan, "log1p": lambda a: sympy.log(1 + a), "sigmoid": lambda a: 1 / (1 + sympy.exp(-a)),
        "silu": lambda a: a / (1 + sympy.exp(-a)), "softplus": lambda a: sympy.log(1 + sympy.exp(a)),
        "sin": sympy.sin, "cos": sympy.cos, "tanh": sympy.tanh, "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt,
    }  # fmt: skip
    names = {**s, **leaves}
    for name, text in reversed(e.definitions.items()):
        names[name] = eval(text, {"__builtins__": {}}, names)
    return names[e.result], eval(e.formula, {"__builtins__": {}}, names)


@settings(max_examples=100)
@given(STEPS)
def test_the_formula_is_the_derivative_as_sympy_finds_it(program: Any) -> None:
    x, y = gg.tensor(0.7, requires_grad=True, name="x"), gg.tensor(-0.4, requires_grad=True, name="y")
    e = gg.explain(run(program, [x, y]), x)
    if e.formula is None:
        assert e.count > len(e.paths)
        return
    sx, sy = sympy.symbols("x y", real=True)
    f, formula = symbolic(e, {"x": sx, "y": sy})
    at = {sx: sympy.Float(0.7, 30), sy: sympy.Float(-0.4, 30)}
    expected = sympy.N(sympy.diff(f, sx).subs(at), 20)
    assert abs(complex(sympy.N(sympy.sympify(formula).subs(at), 20)) - complex(expected)) <= 1e-11 * max(
        1, abs(complex(expected))
    )


def example() -> tuple[gg.Tensor, gg.Tensor, gg.Tensor]:
    x, y = gg.tensor(2.0, requires_grad=True, name="x"), gg.tensor(3.0, requires_grad=True, name="y")
    return x, y, gg.sin(x * y)


def test_the_seed_example() -> None:
    x, y, f = example()
    e = gg.explain(f, x)
    assert e.formula == "cos(z1) * y"
    assert e.definitions == {"f": "sin(z1)", "z1": "x * y"}
    assert [(p.variable, p.operand, p.symbol) for p in e.paths[0].factors] == [("f", "z1", "cos(z1)"), ("z1", "x", "y")]
    assert [p.value for p in e.paths[0].factors] == [pytest.approx(np.cos(6)), 3]
    assert e.total.item() == pytest.approx(3 * np.cos(6))
    assert gg.explain(f, y).formula == "cos(z1) * x"
    f.backward()  # the graph is still there
    assert x.grad.item() == e.gradient.item()
    assert e._repr_latex_().startswith("$")


def test_signs_and_ones_are_not_multiplied() -> None:
    x, y, _ = example()
    assert gg.explain(1 - x, x).formula == "-1"
    assert gg.explain(y - gg.sin(x), x).formula == "-cos(x)"
    assert gg.explain(y - x * y, x).formula == "-y"
    assert gg.explain(x + x, x).formula == "1 + 1"
    assert gg.explain(x, x).formula == "1"
    assert "∂x/∂x" in str(gg.explain(x, x))


def test_what_does_not_depend_or_has_no_derivative() -> None:
    x, y, f = example()
    e = gg.explain(gg.floor(x) * y, x)
    assert (e.count, e.formula, e.total.item()) == (1, "0", 0)
    with pytest.raises(gg.errors.GraphError, match="not in the graph"):
        gg.explain(gg.sin(y), x)
    with pytest.raises(gg.errors.GraphError, match="does not require grad"):
        gg.explain(f * 2, gg.ones(()))
    with pytest.raises(gg.errors.GraphError, match="requires_grad=True"):
        gg.explain(gg.ones(()), x)
    with pytest.raises(gg.errors.GraphError, match="gradient"):
        gg.explain(x * gg.ones(3), x)
    with pytest.raises(gg.errors.DTypeError, match="two tensors"):
        gg.explain(f, "x")
    with pytest.raises(gg.errors.InputError, match="max_paths"):
        gg.explain(f, x, max_paths=0)
    v = gg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(gg.errors.ShapeError, match="one element"):
        gg.explain((x * v).sum(), v, element=slice(None))
    with pytest.raises(IndexError):
        gg.explain((x * v).sum(), v, element=7)
    f.backward()
    with pytest.raises(gg.errors.GraphError, match="retain_graph"):
        gg.explain(f, x)


def test_a_limit_on_the_number_of_paths_is_said() -> None:
    x = gg.tensor(1.01, requires_grad=True, name="x")
    y = x
    for _ in range(40):
        y = y + y * 0.01
    e = gg.explain(y, x, max_paths=5)
    assert (e.count, len(e.paths), e.formula) == (2**40, 5, None)
    assert f"over {2**40} paths, of which 5 are written out" in str(e)
    assert "by backward; the paths above sum to" in str(e)
    assert e.gradient.item() == pytest.approx(1.01**40)
    assert r"\cdots" in e.to_latex()


def test_arrays_structural_ops_and_masks() -> None:
    w = gg.tensor(np.arange(6.0).reshape(2, 3) / 10, requires_grad=True, name="w")
    v = gg.tensor([1.0, 2.0, 3.0], requires_grad=True, name="v")
    f = (
        (gg.tanh(w @ v + 1) ** 2).sum()
        + v.max()
        + gg.concatenate([v[1:], v * v]).sum()
        + gg.where(v > 1.5, gg.sqrt(v - 1), 0.0).mean()
    )
    e = gg.explain(f, v)
    np.testing.assert_allclose(e.total.numpy(), e.gradient.numpy(), rtol=1e-12)
    text = str(e)
    for symbol in ("D1 matmul(w, v)", "D max(v)", "getitem", "D0 concatenate", "where("):
        assert symbol in text, symbol
    assert e.formula is None
    one = gg.explain(f, w, element=(1, 2))
    (g,) = gg.autograd.grad(f, w, retain_graph=True)
    assert f"= {g.numpy()[1, 2]:.6g}" in str(one)
    same = gg.explain((v @ v) + v[0], v)  # one value twice in a call
    np.testing.assert_allclose(same.total.numpy(), 2 * v.detach().numpy() + [1, 0, 0])


def test_what_was_broadcast_is_summed() -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True, name="x")
    e = gg.explain((x * gg.ones((3, 2))).sum(), x)
    assert e.total.tolist() == [3, 3]
    assert "Σ(2,)" in str(e)


def test_values_that_nobody_has_any_more() -> None:
    x = gg.tensor([0.5], requires_grad=True, name="x")

    def f() -> gg.Tensor:
        data = gg.tensor([2.0])
        return gg.exp(x + data).sum()

    y = f()
    y.item()
    e = gg.explain(y, x)  # exp's derivative is its output, which was kept; x + data nobody needs
    assert e.total.item() == pytest.approx(np.exp(2.5))


def test_a_gradient_for_many_elements_and_names() -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    e = gg.explain(x * x, x, gradient=[1.0, 10.0], names={"a": x})
    assert e.total.tolist() == [2, 40]
    assert e.variable == "a"
    assert e.definitions == {"f": "a * a"}


@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in CASES], ids=[c[0] for c in CASES])
def test_every_structural_op_is_explained(ours: Any, args: list[np.ndarray]) -> None:
    xs = [gg.tensor(a, requires_grad=True, name=f"in{n}") for n, a in enumerate(args)]
    y = gg.square(ours(gg, *xs)).sum()
    nodes = y.graph().to_html(values=True)
    for x in xs:
        e = gg.explain(y, x, max_paths=300)
        if e.count == len(e.paths):
            np.testing.assert_allclose(e.total.numpy(), e.gradient.numpy(), rtol=1e-10, atol=1e-12)
        assert str(e)
        assert x.name in nodes


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_other_dtypes(dtype: str) -> None:
    x = gg.tensor([0.5, 1.5], dtype=getattr(ml_dtypes, dtype, dtype), requires_grad=True, name="x")
    y = (gg.gelu(x) * x.astype("float32")).sum() + gg.softplus(x).sum().astype("float32")
    e = gg.explain(y, x)
    np.testing.assert_allclose(e.total.numpy().astype(float), e.gradient.numpy().astype(float), rtol=0.02)
    assert e.total.dtype == x.dtype
    y.graph().to_html()


def test_writes_and_derivatives_of_derivatives() -> None:
    x = gg.tensor([0.5, 1.5], requires_grad=True, name="x")
    y = gg.zeros(3)
    y[0] = x[0] * x[1]
    y[1:] = gg.sin(x)
    y *= 2
    e = gg.explain((y * y).sum(), x)
    np.testing.assert_allclose(e.total.numpy(), e.gradient.numpy(), rtol=1e-12)
    (g,) = gg.autograd.grad((x**3).sum(), x, create_graph=True)
    second = gg.explain(g.sum(), x)
    np.testing.assert_allclose(second.total.numpy(), 6 * x.detach().numpy())
    assert "<svg" in g.sum().graph().to_svg()

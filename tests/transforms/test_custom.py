"""Derivatives of one's own: both modes, every order, several results, and what users get wrong."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg

jax.config.update("jax_enable_x64", True)
X = np.array([0.3, 1.2, 2.5])


def log1pexp() -> Any:
    @gg.custom_vjp
    def f(x: Any) -> Any:
        return gg.log(1 + gg.exp(x))

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * gg.sigmoid(x),))
    return f


def cubed() -> Any:
    @gg.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * x * x * y

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, y), (dx, dy) = primals, tangents
        return f(x, y), 3 * x * x * y * dx + x * x * x * dy

    return f


class Product(gg.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, power: int) -> Any:
        z = x * y
        ctx.save_for_backward(x, y, z)
        ctx.power = power
        return z**power

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, y, z = ctx.saved_tensors  # z is an intermediate result: its derivative counts at higher order
        slope = ctx.power * z ** (ctx.power - 1)
        return g * slope * y, g * slope * x, None


def test_functions_with_a_rule_of_their_own_in_both_modes() -> None:
    f, plain = log1pexp(), lambda x: gg.log(1 + gg.exp(x))
    t = np.array([1.0, -2.0, 0.5])
    own, same = (lambda x: gg.sin(f(x * x)).sum()), (lambda x: gg.sin(plain(x * x)).sum())
    np.testing.assert_allclose(gg.grad(own)(X), gg.grad(same)(X), rtol=1e-13)
    np.testing.assert_allclose(gg.jvp(own, (X,), (t,))[1], gg.jvp(same, (X,), (t,))[1], rtol=1e-13)
    np.testing.assert_allclose(gg.hessian(own)(X), gg.hessian(same)(X), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gg.hvp(own, X, t), gg.hvp(same, X, t), rtol=1e-12)
    third = gg.grad(lambda x: gg.hvp(own, x, gg.tensor(t)).sum())(X)
    np.testing.assert_allclose(third, gg.grad(lambda x: gg.hvp(same, x, gg.tensor(t)).sum())(X), rtol=1e-11)
    np.testing.assert_allclose(gg.jacobian(lambda x: f(x))(X), np.diag(1 / (1 + np.exp(-X))), rtol=1e-13)


def test_a_forward_rule_gives_reverse_mode() -> None:
    f, y = cubed(), np.array([2.0, 0.5, 1.0])
    own, same = (lambda x, y: gg.cos(f(x, y)).sum()), (lambda x, y: gg.cos(x * x * x * y).sum())
    for a, b in zip(gg.grad(own, (0, 1))(X, y), gg.grad(same, (0, 1))(X, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    for a, b in zip(gg.jvp(own, (X, y), (y, X)), gg.jvp(same, (X, y), (y, X)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    np.testing.assert_allclose(
        gg.hessian(lambda x: own(x, y))(X), gg.hessian(lambda x: same(x, y))(X), rtol=1e-12, atol=1e-13
    )
    assert gg.grad(lambda x: f(x, 2.0).sum())(X) == pytest.approx(6 * X**2)  # a number among the arguments


def test_what_is_saved_counts_at_higher_order() -> None:
    y = np.array([2.0, 0.5, 1.0])
    own, same = (lambda x, y: Product.apply(x, y, 3).sum()), (lambda x, y: ((x * y) ** 3).sum())
    for a, b in zip(gg.grad(own, (0, 1))(X, y), gg.grad(same, (0, 1))(X, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    np.testing.assert_allclose(gg.hessian(lambda x: own(x, y))(X), gg.hessian(lambda x: same(x, y))(X), rtol=1e-12)
    np.testing.assert_allclose(
        gg.jacobian(lambda y: gg.grad(own)(gg.tensor(X), y))(y), np.diag(9 * X**2 * y**2), rtol=1e-12
    )
    x = gg.tensor(X, requires_grad=True)
    loss = Product.apply(x, gg.tensor(y), 2).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * X * y**2)
    with pytest.raises(gg.errors.GraphError, match="retain_graph"):
        loss.backward()


def test_against_jax() -> None:
    @jax.custom_vjp
    def theirs(x: Any, y: Any) -> Any:
        return jnp.sin(x) * y

    theirs.defvjp(
        lambda x, y: (theirs(x, y), (jnp.cos(x), jnp.sin(x), y)), lambda r, g: (2 * r[0] * g * r[2], 3 * r[1] * g)
    )

    @gg.custom_vjp
    def ours(x: Any, y: Any) -> Any:
        return gg.sin(x) * y

    ours.defvjp(lambda x, y: (ours(x, y), (gg.cos(x), gg.sin(x), y)), lambda r, g: (2 * r[0] * g * r[2], 3 * r[1] * g))
    y = np.array([2.0, 0.5, 1.0])
    f = lambda m, h: lambda x, y: (h(x, y) ** 2).sum()  # noqa: E731
    expected = jax.grad(f(jnp, theirs), (0, 1))(X, y)
    for a, b in zip(gg.grad(f(gg, ours), (0, 1))(X, y), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)  # a wrong rule is used as it stands
    second = jax.grad(lambda x: jax.grad(f(jnp, theirs))(x, y).sum())(X)
    np.testing.assert_allclose(gg.grad(lambda x: gg.grad(f(gg, ours))(x, gg.tensor(y)).sum())(X), second, rtol=1e-12)


def test_several_results_and_arguments_without_gradient() -> None:
    @gg.custom_vjp
    def polar(x: Any, y: Any) -> Any:
        return gg.hypot(x, y), gg.arctan2(y, x)

    def bwd(kept: Any, g: Any) -> Any:
        (x, y), (gr, ga) = kept, g
        r = gg.hypot(x, y)
        return gr * x / r - ga * y / r**2, gr * y / r + ga * x / r**2

    polar.defvjp(lambda x, y: (polar(x, y), (x, y)), bwd)

    def f(x: Any, y: Any) -> Any:
        r, a = polar(x, y)
        return (r * gg.sin(a)).sum() + a.sum()

    same = lambda x, y: (gg.hypot(x, y) * gg.sin(gg.arctan2(y, x))).sum() + gg.arctan2(y, x).sum()  # noqa: E731
    y = np.array([2.0, 0.5, 1.0])
    for a, b in zip(gg.grad(f, (0, 1))(X, y), gg.grad(same, (0, 1))(X, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(gg.jvp(f, (X, y), (y, X))[1], gg.jvp(same, (X, y), (y, X))[1], rtol=1e-12)
    only_one = gg.grad(lambda x: polar(x, gg.tensor(y))[1].sum())(X)
    np.testing.assert_allclose(only_one, -y / (X**2 + y**2))

    scaled = gg.custom_vjp(lambda n, x: x**n, nondiff_argnums=(0,))
    scaled.defvjp(lambda n, x: (x**n, x), lambda n, x, g: (g * n * x ** (n - 1),))
    assert gg.grad(lambda x: scaled(3, x).sum())(X) == pytest.approx(3 * X**2)


def test_it_is_a_node_that_can_be_looked_at_and_runs_plainly_without_gradients() -> None:
    f = log1pexp()
    x = gg.tensor(X, requires_grad=True, name="x")
    y = f(x).sum()
    assert "<svg" in y.graph().to_svg()
    e = gg.explain(y, x)
    np.testing.assert_allclose(e.total.numpy(), 1 / (1 + np.exp(-X)))
    assert not f(gg.tensor(X)).requires_grad
    with gg.no_grad():
        assert not f(x).requires_grad
    seen = []
    z = f(x)
    z.register_hook(lambda g: seen.append(g.tolist()))
    (z * 2).sum().backward()
    assert seen == [[2, 2, 2]]


def test_a_gradient_that_the_rule_kept_does_not_change() -> None:
    held = gg.tensor([1.0, 2.0, 3.0])
    f = gg.custom_vjp(lambda x: x.sum())
    f.defvjp(lambda x: (x.sum(), None), lambda _, g: (held,))
    x = gg.tensor(X, requires_grad=True)
    (f(x) + (x * 10).sum() + f(x)).backward()
    assert held.tolist() == [1, 2, 3]
    assert x.grad.tolist() == [12, 14, 16]


def test_what_the_caller_and_the_function_do_to_their_tensors_stays_there() -> None:
    class Square(gg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            y = x * x
            x += 1  # a name of its own
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * (ctx.saved_tensors[0] - 1) * g

    x = gg.tensor(3.0, requires_grad=True)
    h = x * 1
    y = Square.apply(h)
    assert h.item() == 3
    h += 10
    y.backward()
    assert x.grad.item() == 6


def test_random_numbers_are_drawn_once() -> None:
    class Drop(gg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mask = gg.random.uniform(size=x.shape) > 0.5
            return x * ctx.mask

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.mask

    y, t = gg.jvp(Drop.apply, (np.ones(50),), (np.ones(50),))
    np.testing.assert_array_equal(y, t)
    with pytest.raises(gg.errors.GraphError, match="another result when it was run again"):
        gg.hessian(lambda x: (Drop.apply(x) ** 2).sum())(np.ones(50))


def test_no_gradient_is_lost_beside_the_arguments() -> None:
    w, x = gg.tensor(2.0, requires_grad=True), gg.tensor(3.0, requires_grad=True)
    closed = gg.custom_vjp(lambda x: w * x)
    closed.defvjp(lambda x: (w * x, None), lambda _, g: (g * 2,))
    with pytest.raises(gg.errors.GraphError, match="none of its arguments"):
        closed(x)
    nested = gg.custom_vjp(lambda p: p[0] * p[1])
    nested.defvjp(lambda p: (p[0] * p[1], p), lambda r, g: ([g, g],))
    with pytest.raises(gg.errors.GraphError, match="inside of a list"):
        nested([w, x])
    with pytest.raises(gg.errors.GraphError, match="inside of a list"):
        gg.custom_jvp(lambda p: p[0])([w])

    class First(gg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, p: Any) -> Any:
            return p[0] * 1

    with pytest.raises(gg.errors.GraphError, match="inside of a list"):
        First.apply([w])


def test_rules_that_are_not_linear_are_errors() -> None:
    for rule in (lambda p, t: (p[0], t[0] * t[0]), lambda p, t: (p[0], 5.0 + 0 * t[0])):
        f = gg.custom_jvp(lambda x: x)
        f.defjvp(rule)
        with pytest.raises(gg.errors.GraphError, match="not linear in the tangents"):
            gg.grad(f)(2.0)
    g = gg.custom_vjp(lambda x: x * 1)
    g.defvjp(lambda x: (x * 1, None), lambda _, u: (u * u,))
    with pytest.raises(gg.errors.GraphError, match="not linear in the gradient"):
        gg.jvp(g, (2.0,), (1.0,))


def test_arguments_by_name_and_one_result_in_a_tuple() -> None:
    f = gg.custom_vjp(lambda x, n=3: (x**n,), nondiff_argnums=(-1,))
    f.defvjp(lambda x, n: ((x**n,), x), lambda n, x, g: (g[0] * n * x ** (n - 1),))
    assert gg.grad(lambda x: f(n=2, x=x)[0])(5.0) == 10
    bad = gg.custom_vjp(lambda x: x)
    bad.defvjp(lambda x: x * x, lambda r, g: (g,))
    with pytest.raises(gg.errors.DTypeError, match=r"pair \(result, kept\)"):
        bad(gg.tensor([3.0, 4.0], requires_grad=True))
    other = gg.custom_jvp(lambda x: x * 1)
    other.defjvp(lambda p, t: t[0])
    with pytest.raises(gg.errors.DTypeError, match=r"pair \(result, tangent\)"):
        gg.grad(other)(1.0)


def test_mistakes_are_errors() -> None:
    x = gg.tensor(X, requires_grad=True)
    bare = gg.custom_vjp(lambda x: x)
    with pytest.raises(gg.errors.GraphError, match="defvjp"):
        bare(x)
    with pytest.raises(gg.errors.GraphError, match="defjvp"):
        gg.custom_jvp(lambda x: x)(x)
    wrong: list[tuple[Any, str]] = [
        (lambda _, g: (g, g), "tuple of 1 gradients"),
        (lambda _, g: g, "tuple of 1 gradients"),
        (lambda _, g: (g[:2],), "shape"),
    ]
    for bwd, text in wrong:
        f = gg.custom_vjp(lambda x: x * 2)
        f.defvjp(lambda x: (x * 2, None), bwd)
        with pytest.raises(gg.errors.GpugradError, match=text):
            f(x).sum().backward()
        x.zero_grad()


@pytest.mark.usefixtures("on_cpu")
def test_a_rule_that_leaves_gpugrad_has_one_order() -> None:
    f = gg.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, x), lambda x, g: (np.asarray(g) * x,))
    with pytest.raises(gg.errors.GraphError, match="lose its gradient"):
        gg.hessian(lambda x: f(x).sum() ** 2)(X)
    assert gg.grad(lambda x: f(x).sum())(X).tolist() == X.tolist()


def test_more_mistakes_are_errors() -> None:
    x = gg.tensor(X, requires_grad=True)
    integers = gg.custom_vjp(lambda x: x.astype(int))
    integers.defvjp(lambda x: (x.astype(int), None), lambda _, g: (g,))
    with pytest.raises(gg.errors.DTypeError, match="floating-point"):
        integers(x)
    fixed = gg.custom_vjp(lambda n, x: x * n, nondiff_argnums=(0,))
    fixed.defvjp(lambda n, x: (x * n, None), lambda n, _, g: (g * n,))
    with pytest.raises(gg.errors.GraphError, match="nondiff_argnums"):
        fixed(x, x)
    with pytest.raises(NotImplementedError):
        gg.autograd.Function.apply(x)


def test_an_integer_tensor_among_the_arguments() -> None:
    f = gg.custom_jvp(lambda x, n: x**n)
    f.defjvp(lambda p, t: (p[0] ** p[1], t[0] * p[1] * p[0]))
    assert gg.grad(lambda x: f(x, gg.tensor(2)))(0.5) == 1
    g = gg.custom_vjp(lambda x, n: x**n)
    g.defvjp(lambda x, n: (x**n, (x, n)), lambda k, u: (u * k[1] * k[0], None))
    assert gg.jvp(lambda x: g(x, gg.tensor(2)), (0.5,), (2.0,))[1] == 2

"""Linear algebra at its edges: errors, dtypes, conventions, and jobs as users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import gpugrad as gg
from gpugrad.ops import lapack
from gpugrad.scipy.linalg import solve_triangular
from gpugrad.testing import check_grads


def test_norms_of_zeros_have_the_derivative_zero() -> None:
    zeros = np.zeros((2, 3))
    for ord in (None, "fro", 1, np.inf):
        g = gg.grad(lambda x, ord=ord: gg.linalg.norm(x, ord))(zeros)
        assert np.isfinite(g).all()
    for ord in (2, 3, 1, np.inf):
        assert np.isfinite(gg.grad(lambda x, ord=ord: gg.linalg.norm(x[0], ord))(zeros)).all()
    assert gg.hessian(lambda x: gg.linalg.norm(x))(np.zeros(2)).tolist() == [[0, 0], [0, 0]]
    # of a row of zeros beside others
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert gg.grad(lambda x: gg.linalg.norm(x, axis=1).sum())(x) == pytest.approx(np.array([[0, 0], [0.6, 0.8]]))


@pytest.mark.parametrize(
    "f",
    [
        lambda m: m.linalg.solve(np.array([[2, 1], [1, 3]]), np.array([1, 2])),
        lambda m: m.linalg.solve(np.zeros((2, 0, 0)), np.zeros((2, 0, 3))),
        lambda m: m.linalg.inv(np.array([[2, 1], [1, 3]], np.float32)),
        lambda m: m.linalg.det(np.zeros((3, 0, 0))),
        lambda m: m.linalg.det(np.zeros((2, 2))),
        lambda m: m.linalg.slogdet(np.zeros((2, 2)))[1],
        lambda m: m.linalg.slogdet(np.array([[0.0, 1.0], [1.0, 0.0]]))[0],
        lambda m: m.linalg.cholesky(np.array([[4, 2], [2, 5]])),
        lambda m: m.linalg.norm(np.array([3, 4])),
        lambda m: m.linalg.norm(np.array([0.0, 4.0]), 0),
        lambda m: m.linalg.norm(np.ones((2, 2, 2))),
        lambda m: m.linalg.norm(np.ones((2, 3)), keepdims=True),
        lambda m: m.linalg.norm(np.ones((2, 3, 4)), 1, axis=(2, 0), keepdims=True),
        lambda m: m.linalg.norm(np.ones((2, 3), np.float32), axis=-1),
        lambda m: m.linalg.matrix_power(np.array([[1, 2], [3, 4]]), 3),
        lambda m: m.linalg.matrix_power(np.array([[1, 2], [3, 4]]), 0),
        lambda m: m.linalg.matrix_power(np.array([[1, 2], [3, 4]]), 1),
        lambda m: m.linalg.multi_dot([np.ones((2, 3)), np.ones((3, 4)), np.ones((4, 1)), np.ones((1, 5))]),
        lambda m: m.linalg.tensorsolve(np.eye(6).reshape(2, 3, 6)[:, ::-1].reshape(2, 3, 3, 2), np.ones((2, 3))),
    ],
)
def test_values_and_dtypes_as_numpy(f: Callable[[Any], Any]) -> None:
    expected, found = f(np), f(gg)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert found.dtype == expected.dtype
    assert found.shape == np.shape(expected)


def test_what_has_no_solution_is_an_error() -> None:
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    t = gg.tensor(singular, requires_grad=True)
    with pytest.raises(np.linalg.LinAlgError):
        gg.linalg.solve(t, [1.0, 2.0])
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(t)
    with pytest.raises(gg.linalg.LinAlgError):
        gg.linalg.cholesky(t - 3 * np.eye(2))
    if t.device == "cpu":  # an emulated GPU has no solvers
        with pytest.raises(np.linalg.LinAlgError):  # its logarithm is infinite
            gg.linalg.slogdet(t)[1].backward()
        gg.linalg.det(t).backward()
        np.testing.assert_allclose(t.grad.numpy(), [[4, -2], [-2, 1]])  # the cofactors
    for f in (gg.linalg.det, gg.linalg.inv, gg.linalg.cholesky, gg.linalg.slogdet):
        with pytest.raises(gg.errors.ShapeError, match="square"):
            f(np.ones((2, 3)))
    for call, text in (
        (lambda: gg.linalg.solve(np.eye(2), np.ones(3)), "do not fit"),
        (lambda: gg.linalg.norm(np.eye(2), 3), "no norm 3"),
        (lambda: gg.linalg.eigh(np.eye(2), "X"), "UPLO"),
        (lambda: gg.linalg.eigh(np.ones((2, 3))), "square"),
        (lambda: gg.linalg.svd(np.ones(2)), "needs matrices"),
        (lambda: gg.linalg.qr(np.eye(2), "raw"), "mode is"),
        (lambda: gg.linalg.lstsq(np.eye(2), np.ones(3)), "do not fit"),
        (lambda: gg.linalg.cond(np.ones(2)), "needs matrices"),
        (lambda: gg.linalg.norm(np.ones((2, 2, 2)), axis=(0, 1, 2)), "of one axis, or of two"),
        (lambda: gg.linalg.multi_dot([np.eye(2)]), "two or more"),
        (lambda: gg.linalg.multi_dot([np.eye(2), np.ones((2, 2, 2))]), "is no matrix"),
        (lambda: gg.linalg.tensorsolve(np.ones((2, 3)), np.ones(2)), "square system"),
        (lambda: gg.linalg.vector_norm(np.ones(2), ord="fro"), "is a number"),
    ):
        with pytest.raises(gg.errors.GpugradError, match=text):
            call()


def test_a_gaussian_process_as_users_write_it() -> None:
    r = np.random.default_rng(11)
    x = np.sort(r.uniform(0, 5, 20))
    y = np.sin(2 * x) + 0.1 * r.standard_normal(20)

    def loss(theta: Any) -> Any:
        scale, length, noise = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2])
        k = scale * np.exp(-0.5 * (x[:, None] - x) ** 2 / length**2) + noise * np.eye(20)
        low = np.linalg.cholesky(k)
        z = np.linalg.solve(low, y)
        return 0.5 * np.sum(z * z) + np.sum(np.log(np.diagonal(low))) + 10 * np.log(2 * np.pi)

    at = np.array([0.1, -0.4, -3.0])
    k = np.exp(0.1) * np.exp(-0.5 * (x[:, None] - x) ** 2 / np.exp(-0.8)) + np.exp(-3.0) * np.eye(20)
    assert loss(gg.tensor(at)).item() == pytest.approx(-scipy.stats.multivariate_normal(np.zeros(20), k).logpdf(y))
    steps = [at + 1e-6 * np.eye(3)[k] for k in range(3)], [at - 1e-6 * np.eye(3)[k] for k in range(3)]
    expected = [(loss(a) - loss(b)) / 2e-6 for a, b in zip(*steps, strict=True)]
    np.testing.assert_allclose(gg.grad(loss)(at), expected, rtol=1e-6)


def test_a_mixture_of_gaussians_as_users_write_it() -> None:
    r = np.random.default_rng(12)
    data = np.concatenate([r.normal(-2, 0.5, (30, 2)), r.normal(1, 1.0, (30, 2))])

    def loss(means: Any, factors: Any) -> Any:
        cov = factors @ np.swapaxes(factors, -1, -2) + 0.1 * np.eye(2)
        off = data[:, None, :] - means
        maha = np.sum(
            off * np.swapaxes(np.linalg.solve(cov, np.transpose(off, (1, 2, 0))), 1, 2).transpose(1, 0, 2), -1
        )
        logs = -0.5 * (maha + np.linalg.slogdet(cov)[1])
        return -np.mean(np.log(np.sum(np.exp(logs), axis=1)))

    at = (np.array([[-1.0, -1.0], [1.0, 0.5]]), np.array([[[1.0, 0.2], [0.0, 0.8]], [[0.7, 0.0], [0.1, 1.2]]]))
    gm, gf = gg.grad(loss, (0, 1))(*at)
    direction = r.standard_normal((2, 2)), r.standard_normal((2, 2, 2))
    ahead, behind = ([p + s * d for p, d in zip(at, direction, strict=True)] for s in (1e-6, -1e-6))
    slope = (loss(*ahead) - loss(*behind)) / 2e-6
    assert (gm * direction[0]).sum() + (gf * direction[1]).sum() == pytest.approx(slope, rel=1e-6)


C = np.random.default_rng(0).random((3, 3))


def recomposed(a: Any) -> Any:
    w, v = gg.linalg.eigh(a)
    return gg.sum((v * w) @ v.T * C)


def multiplied(a: Any) -> Any:
    u, s, v = gg.linalg.svd(a)
    return gg.sum((u * s) @ v * C)


@pytest.mark.usefixtures("solvers")
def test_values_alone_have_gradients_where_they_repeat() -> None:
    for a in (np.eye(3), np.diag([2.0, 1.0, 1.0]), np.zeros((3, 3))):
        f = lambda x: gg.sum(gg.linalg.eigvalsh(x) ** 2)  # noqa: E731
        np.testing.assert_allclose(gg.grad(f)(a), 2 * a, atol=1e-14)
        assert gg.jvp(f, (a,), (C,))[1] == pytest.approx(2 * (a * C).sum())
        with pytest.raises(gg.errors.GraphError, match="second derivative"):
            gg.hessian(f)(a)
    nuclear = lambda x: gg.linalg.norm(x, "nuc")  # noqa: E731
    q = np.linalg.qr(C)[0]
    np.testing.assert_allclose(gg.grad(nuclear)(q), q, atol=1e-14)
    np.testing.assert_allclose(gg.grad(nuclear)(np.diag([2.0, 0, 0])), np.diag([1.0, 0, 0]), atol=1e-14)
    assert gg.grad(nuclear)(np.zeros((2, 3))).tolist() == np.zeros((2, 3)).tolist()
    assert gg.jvp(nuclear, (np.diag([2.0, 0, 0]),), (C,))[1] == pytest.approx(C[0, 0])


@pytest.mark.usefixtures("solvers")
def test_vectors_of_repeated_values_have_none() -> None:
    np.testing.assert_allclose(gg.grad(recomposed)(np.diag([1.0, 2, 3])), (C + C.T) / 2, rtol=1e-12)
    np.testing.assert_allclose(gg.grad(multiplied)(np.diag([1.0, 2, 3])), C, rtol=1e-12)
    for f, a in (
        (recomposed, np.eye(3)),
        (recomposed, np.zeros((3, 3))),  # the gradient of the vectors is 0 here, and yet they matter
        (multiplied, np.eye(3)),
        (multiplied, np.diag([2.0, 1.0, 0.0])),
        (lambda x: gg.sum(gg.linalg.eigh(x)[1]), np.eye(3)),
    ):
        with pytest.raises(gg.errors.GraphError, match="any basis of a space"):
            gg.grad(f)(a)
        with pytest.raises(gg.errors.GraphError, match="any basis of a space"):
            gg.jvp(f, (a,), (C,))


@pytest.mark.usefixtures("solvers")
def test_what_leaves_repeated_values_out_has_a_gradient() -> None:
    def largest(a: Any) -> Any:
        w, v = gg.linalg.eigh(a)
        return gg.sum(v[:, 2] ** 2 * C[0]) * w[2]

    def leading(a: Any) -> Any:
        u, s, v = gg.linalg.svd(a)
        return gg.sum(u[:, 0] * s[0] * v[0] * C[0])

    moved = C + C.T
    for f, a in ((largest, np.diag([1.0, 1.0, 3.0])), (leading, np.outer([1.0, 2, 3], [3.0, 1, 2]))):
        slope = (f(gg.tensor(a + 1e-6 * moved)) - f(gg.tensor(a - 1e-6 * moved))).item() / 2e-6
        assert (gg.grad(f)(a) * moved).sum() == pytest.approx(slope, rel=1e-7)


@pytest.mark.usefixtures("solvers")
def test_factorizations_as_numpy() -> None:
    a = np.random.default_rng(3).random((2, 5, 3))
    for ours, theirs in (
        (gg.linalg.svd(a), np.linalg.svd(a)),
        (gg.linalg.svd(a, full_matrices=False), np.linalg.svd(a, full_matrices=False)),
        (gg.linalg.qr(a), np.linalg.qr(a)),
        (gg.linalg.qr(a, mode="complete"), np.linalg.qr(a, mode="complete")),
        (gg.linalg.eigh(a[:, :3]), np.linalg.eigh(a[:, :3])),
        (gg.linalg.lstsq(a[0], a[0, :, 0]), np.linalg.lstsq(a[0], a[0, :, 0])),
        (gg.linalg.lstsq(a[0].T, a[0, :3, 0]), np.linalg.lstsq(a[0].T, a[0, :3, 0])),
    ):
        assert type(ours).__name__ == type(theirs).__name__ or type(theirs) is tuple
        for o, t in zip(ours, theirs, strict=True):
            assert np.shape(o) == np.shape(t)
            if np.ndim(t) < 2:
                np.testing.assert_allclose(gg.asarray(o).numpy(), t, atol=1e-12)
    u, s, v = gg.linalg.svd(a)
    np.testing.assert_allclose(((u[..., :3] * s[:, None]) @ v).numpy(), a)
    np.testing.assert_allclose((u @ u.mT).numpy(), np.broadcast_to(np.eye(5), (2, 5, 5)), atol=1e-14)
    assert gg.linalg.svd(a, compute_uv=False).shape == (2, 3)
    assert gg.linalg.matrix_rank(np.ones((3, 2))).item() == 1
    assert gg.linalg.cond(np.diag([1.0, 0.0])).item() == np.inf


@pytest.mark.usefixtures("solvers")
def test_an_orthogonal_basis_of_dependent_columns_has_no_derivative() -> None:
    for a in (np.ones((2, 2)), np.array([[1.0, 1, 2], [1, 1, 3]])):
        with pytest.raises(gg.errors.GraphError, match="not independent"):
            gg.grad(lambda x: gg.sum(gg.linalg.qr(x)[1]))(a)


def _large(n: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    r = np.random.default_rng(0)
    return (r.standard_normal((n, n)) + 2 * np.sqrt(n) * np.eye(n)).astype(dtype), r.standard_normal((n, 3)).astype(
        dtype
    )


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [31, 32, 50])
def test_large_matrices_are_factored_by_lapack_and_give_what_small_ones_give(n: int, dtype: Any) -> None:
    A, B = _large(n, dtype)
    small = 1e-11 if dtype is np.float64 else 2e-4
    order = np.random.default_rng(1).permutation(n)
    for a in (A, A.T, A[order]):  # of C and of Fortran order, and with rows to be exchanged
        x = gg.linalg.solve(a, B)
        assert x.dtype == dtype
        assert np.allclose(x.numpy(), np.linalg.solve(a, B), rtol=0, atol=small)
        assert np.allclose(gg.linalg.solve(a, B[:, 0]).numpy(), np.linalg.solve(a, B[:, 0]), rtol=0, atol=small)
        sign, log = gg.linalg.slogdet(a)
        assert sign.item() == np.linalg.slogdet(a)[0]
        assert log.dtype == dtype
        assert np.allclose(log.item(), np.linalg.slogdet(a)[1], rtol=10 * small)
        got = gg.grad(lambda a: gg.linalg.slogdet(a)[1])(a)
        assert np.allclose(got, np.linalg.inv(a).T, rtol=0, atol=small)


@pytest.mark.usefixtures("solvers")
def test_large_matrices_in_both_modes_and_to_the_second_order() -> None:
    A, B = _large(33)
    check_grads(lambda a, b: gg.linalg.solve(a, b), [A, B], order=2)
    check_grads(lambda a: gg.linalg.inv(a), [A], order=2)
    check_grads(lambda a: gg.linalg.slogdet(a)[1], [A], order=2)
    check_grads(lambda a: gg.linalg.det(a / 12), [A], order=2)
    check_grads(lambda a: gg.linalg.cholesky(a @ a.T), [A], order=2)
    for lower in (False, True):
        for unit in (False, True):
            check_grads(lambda a, b, w=lower, u=unit: solve_triangular(a / 20, b, 0, w, u), [A, B], order=2)


@pytest.mark.usefixtures("on_cpu")
def test_a_large_matrix_is_factored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    routine = lapack._routine
    monkeypatch.setattr(lapack, "_routine", lambda name, a: made.append(name) or routine(name, a))
    A, B = _large(40)
    a = gg.tensor(A, requires_grad=True)
    (np.linalg.slogdet(a)[1] + np.linalg.solve(a, B).sum() + np.linalg.solve(a, B[:, 0]).sum()).backward()
    assert made.count("getrf") == 1
    made.clear()
    with gg.no_grad():
        a -= 1e-3 * a.grad  # another value: with factors of its own
    x = np.linalg.solve(a, B)
    assert made.count("getrf") == 1
    assert np.allclose(a.detach().numpy() @ x.detach().numpy(), B)


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("how", ["SGD", "Adam", "writes"])
def test_factors_are_those_of_the_matrix_as_it_is_now(how: str) -> None:
    A, B = _large(40)
    a = gg.tensor(A, requires_grad=True)
    optimizer = None if how == "writes" else getattr(gg.optim, how)([a], lr=0.1)
    for _ in range(20):  # until the step is compiled, and done in place where nobody can tell
        a.zero_grad()
        x = gg.linalg.solve(a, B)
        (x * x).sum().backward()
        assert np.allclose(x.detach().numpy(), np.linalg.solve(np.array(a.tolist()), B), rtol=0, atol=1e-10)
        if optimizer is not None:
            optimizer.step()
            continue
        with gg.no_grad():
            a -= 0.1 * a.grad
            a[0, 0] += 0.1


@pytest.mark.usefixtures("solvers")
def test_factors_of_a_gradient_are_not_those_of_the_next_one() -> None:
    A, B = _large(40)
    x = gg.tensor(A, requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()  # added to the gradient that is there
        found = gg.linalg.solve(x.grad, B).numpy().copy()
        assert np.allclose(found, np.linalg.solve(np.array(x.grad.tolist()), B), rtol=0, atol=1e-10)  # type: ignore[union-attr]


@pytest.mark.usefixtures("solvers")
def test_large_singular_matrices() -> None:
    A, B = _large(40)
    A[3] = 0
    for f in (gg.linalg.solve, solve_triangular):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            f(A, B)
    sign, log = gg.linalg.slogdet(A)
    assert sign.item() == 0
    assert log.item() == -np.inf
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        gg.grad(lambda a: gg.linalg.slogdet(a)[1])(A)

"""Distributions against SciPy, inside, at the ends and outside of their support; gradients against differences."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats

import gpugrad as gg
from gpugrad.scipy import stats
from gpugrad.testing import check_grads

R = np.random.default_rng(9)
CONTINUOUS = {
    "norm": (), "halfnorm": (), "lognorm": (0.7,), "expon": (), "gamma": (2.3,), "chi2": (3.2,), "invgamma": (2.5,), "weibull_min": (1.7,),
    "pareto": (2.6,), "beta": (2.3, 1.4), "uniform": (), "t": (3.5,), "f": (3.0, 5.0), "laplace": (), "cauchy": (), "logistic": (),
}  # fmt: skip
DISCRETE = {"poisson": (2.3,), "binom": (7, 0.3), "bernoulli": (0.3,), "geom": (0.3,), "nbinom": (2.5, 0.4)}
X = np.concatenate([R.standard_normal(9) * 2, [0, 1, 2, -1, np.inf, -np.inf, np.nan, 30, -30, 1.5, 0.3]])
Q = np.array([0, 0.1, 0.5, 0.9, 1, 1.5, -1, 0.25])
K = np.array([-1, 0, 1, 2, 3, 5, 7, 8, 20, 1.5, np.nan])


def check_values(name: str, method: str, x: np.ndarray, *args: float) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(getattr(scipy.stats, name), method)(x, *args)
    got = getattr(getattr(stats, name), method)(x, *args).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{name}.{method}{args}")


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.usefixtures("solvers")
def test_continuous(name: str) -> None:
    shapes = CONTINUOUS[name]
    for rest in ((), (0.3, 1.7)):
        for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
            check_values(name, method, X, *shapes, *rest)
        for method in ("ppf", "isf"):
            check_values(name, method, Q, *shapes, *rest)


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.usefixtures("solvers")
def test_gradients_of_continuous(name: str) -> None:
    shapes, d = CONTINUOUS[name], getattr(stats, name)
    z = R.uniform(1.5, 2.5, 4) if name == "pareto" else R.uniform(0.2, 0.8, 4)
    check_grads(
        lambda x, loc, scale, *s: d.logpdf(x, *s, loc=loc, scale=scale),
        [z, np.array(-0.1), np.array(1.2), *map(np.array, shapes)],
        order=2,
    )
    check_grads(lambda x, loc, scale: d.cdf(x, *shapes, loc, scale), [z, np.array(-0.1), np.array(1.2)], order=2)
    check_grads(lambda q: d.ppf(q, *shapes), [np.array([0.2, 0.6])], order=2)


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str) -> None:
    shapes, d = DISCRETE[name], getattr(stats, name)
    for rest in ((), (1,)):
        for method in ("logpmf", "pmf", "cdf", "sf", "logcdf", "logsf"):
            check_values(name, method, K, *shapes, *rest)
    k = np.array([0, 1] if name == "bernoulli" else [1, 2, 3])
    check_grads(lambda p: d.logpmf(k, *shapes[:-1], p), [np.array(shapes[-1])], order=2)


@pytest.mark.usefixtures("solvers")
def test_multivariate() -> None:
    a = R.standard_normal((3, 3))
    cov, x, mean = a @ a.T + np.eye(3), R.standard_normal((5, 3)), R.standard_normal(3)
    ours, theirs = stats.multivariate_normal, scipy.stats.multivariate_normal
    for args in ((x, mean, cov), (x[0], mean, cov), (x, mean, 2.0), (x, mean, np.array([1.0, 2, 3])), (x[:, 0],)):
        np.testing.assert_allclose(ours.logpdf(*args).numpy(), theirs.logpdf(*args), rtol=1e-12)
        np.testing.assert_allclose(ours.pdf(*args).numpy(), theirs.pdf(*args), rtol=1e-12)
    np.testing.assert_allclose(ours.entropy(mean, cov).item(), theirs.entropy(mean, cov))
    check_grads(lambda x, m, a: ours.logpdf(x, m, a @ a.T + np.eye(3)), [x, mean, a], order=2)
    with pytest.raises(np.linalg.LinAlgError):
        ours.logpdf(x, mean, -cov)
    alpha = np.array([1.5, 2, 0.7])
    q = R.dirichlet(alpha, 4).T
    np.testing.assert_allclose(stats.dirichlet.logpdf(q, alpha).numpy(), scipy.stats.dirichlet.logpdf(q, alpha))
    np.testing.assert_allclose(stats.dirichlet.logpdf(q[:2], alpha).numpy(), scipy.stats.dirichlet.logpdf(q, alpha))
    check_grads(lambda a: stats.dirichlet.logpdf(q, a), [alpha], order=2)
    counts, p = np.array([[1, 2, 3], [2, 2, 2], [1, 1, 1]]), np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(
        stats.multinomial.logpmf(counts, 6, p).numpy(), scipy.stats.multinomial.logpmf(counts, 6, p)
    )
    check_grads(lambda p: stats.multinomial.logpmf(counts[:2], 6, p), [p], order=2)


@pytest.mark.usefixtures("solvers")
def test_a_normal_distribution_without_full_rank() -> None:
    ours, theirs = stats.multivariate_normal, scipy.stats.multivariate_normal
    b = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0], [1.0, 1.0]])
    cov, mean = b @ b.T, np.arange(4.0)
    x = mean + R.standard_normal((3, 2)) @ b.T
    x[2, 0] += 1  # not of the image
    np.testing.assert_allclose(
        ours.logpdf(x, mean, cov, allow_singular=True).numpy(),
        theirs.logpdf(x, mean, cov, allow_singular=True),
        rtol=1e-9,
    )
    assert ours.pdf(x, mean, cov, True).numpy()[2] == 0
    np.testing.assert_allclose(ours.entropy(mean, cov).item(), theirs.entropy(mean, cov))
    with pytest.raises(np.linalg.LinAlgError):
        ours.logpdf(x, mean, cov)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semidefinite"):
        ours.logpdf(x, mean, -cov, allow_singular=True)
    check_grads(
        lambda z, m, b: ours.logpdf(m + z @ b.T, m, b @ b.T, True), [R.standard_normal((3, 2)), mean, b], order=1
    )
    check_grads(lambda c: ours.entropy(cov=c @ c.T), [np.eye(3)], order=2)  # the eigenvalues repeat
    check_grads(lambda c: ours.logpdf(x[:, :3], cov=c @ c.T, allow_singular=True), [np.eye(3)], order=2)
    full = cov + np.eye(4)
    expected = gg.grad(lambda c: ours.logpdf(x, mean, c).sum())(full)
    np.testing.assert_allclose(gg.grad(lambda c: ours.logpdf(x, mean, c, True).sum())(full), expected, rtol=1e-8)


def test_dtypes_and_what_lies_outside() -> None:
    x = gg.tensor([1.0, 2.0], dtype="float32")
    assert stats.norm.logpdf(x, 0, 2.0).dtype == np.float32
    assert stats.gamma.logpdf(x, 2, 0, 1).dtype == np.float32
    assert stats.poisson.logpmf([1, 2], gg.tensor(2.0, dtype="float32")).dtype == np.float32
    a = gg.tensor(2.0, requires_grad=True)
    y = stats.gamma.pdf([-1.0, 1.0], a)
    y.sum().backward()
    assert y.tolist()[0] == 0
    assert np.isfinite(a.grad.item())


@pytest.mark.usefixtures("solvers")
def test_frozen_distributions() -> None:
    x = np.array([0.5, 1.5])
    for name, args in (("norm", (0.3, 2.0)), ("gamma", (2.0,)), ("poisson", (2.0,)), ("beta", (2.0, 3.0))):
        ours, theirs = getattr(stats, name)(*args), getattr(scipy.stats, name)(*args)
        for method in ("cdf", "logsf") if name != "beta" else ("logpdf",):
            np.testing.assert_allclose(getattr(ours, method)(x / 4).numpy(), getattr(theirs, method)(x / 4), rtol=1e-12)
    np.testing.assert_allclose(
        stats.multivariate_normal([0.0, 1.0], 2.0).logpdf(x).item(),
        scipy.stats.multivariate_normal([0, 1], 2.0).logpdf(x),
    )
    assert stats.multivariate_normal(cov=[[1.0, 0.0], [0.0, 1.0]]).entropy().ndim == 0
    with pytest.raises(AttributeError, match="norm has no 'rvs'"):
        stats.norm(0, 1).rvs(3)


def test_errors_say_what_is_wrong() -> None:
    for call, words in (
        (lambda: stats.norm.pdf(1, 2, 3, 4), "at most 2 parameters, loc, scale"),
        (lambda: stats.gamma.pdf(1), "needs a"),
        (lambda: stats.norm.pdf(1, mu=3), "'mu' is no parameter"),
        (lambda: stats.gamma.cdf(1.0, gg.tensor(2.0, requires_grad=True)), "derivative in 'a' is not known"),
    ):
        with pytest.raises((TypeError, gg.errors.GraphError), match=words):
            call()


@pytest.mark.usefixtures("solvers")
def test_tails_edges_and_dtypes() -> None:
    """Far out, at the ends of supports, and of float32."""
    np.testing.assert_allclose(stats.t.sf(10.0, 1e6).item(), scipy.stats.t.sf(10.0, 1e6), rtol=1e-9)
    np.testing.assert_allclose(stats.t.logpdf(1.0, np.inf).item(), scipy.stats.norm.logpdf(1.0))
    np.testing.assert_allclose(stats.expon.logcdf(40.0).item(), -np.exp(-40.0), rtol=1e-12)
    np.testing.assert_allclose(stats.cauchy.sf(1e10).item(), 1 / (np.pi * 1e10), rtol=1e-9)
    assert stats.geom.pmf(np.inf, 0.3).item() == 0
    for f, at, slope in (
        (lambda x: stats.t.cdf(x, 3.5), 0.0, scipy.stats.t.pdf(0, 3.5)),
        (lambda q: stats.t.ppf(q, 3.0), 0.5, 1 / scipy.stats.t.pdf(0, 3.0)),
        (lambda x: stats.gamma.pdf(x, 2.5), 0.0, 0.0),
        (lambda x: stats.lognorm.cdf(x, 0.9), 0.0, 0.0),
        (lambda x: stats.invgamma.sf(x, 2.5), 0.0, 0.0),
    ):
        np.testing.assert_allclose(gg.grad(f)(at), slope, rtol=1e-12)
    q = gg.tensor([0.3], dtype="float32")
    for name, shapes in CONTINUOUS.items():
        assert getattr(stats, name).ppf(q, *shapes).dtype == np.float32, name
        assert getattr(stats, name).isf(q, *shapes).dtype == np.float32, name

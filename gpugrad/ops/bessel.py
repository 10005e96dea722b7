"""The table of special functions, continued: those of Bessel, integrals and hypergeometric functions, with SciPy's names and arguments."""

from __future__ import annotations

import math
from typing import Any

from .elementwise import *
from .of_scipy import special
from .op import compound
from .selection import *
from .special import *

# ------------------------------------------------------------------------------------------- functions of Bessel


@special("gg_j0({0})", edges=(0.0,), tolerance=2, jax="")
def j0(x, y):
    "Bessel function of the first kind of order 0. DLMF 10.2."
    return (-j1(x),)


@special("gg_j1({0})", edges=(0.0,), tolerance=2, jax="")
def j1(x, y):
    "Bessel function of the first kind of order 1. DLMF 10.2."
    return (0.5 * (j0(x) - _jn(2, x)),)


@special(
    "gg_jn({0}, {1})", of="jv", public=False, constants=(0,), domain=((2.0, 2.0), (-3.0, 3.0)), tolerance=2, jax=""
)
def _jn(n, x, y):
    "Bessel function of the first kind of a whole order."
    return 0, 0.5 * (_jn(n - 1, x) - _jn(n + 1, x))


@special(aliases=("jn",), constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), tolerance=4, jax="")
def jv(v, z, y):
    "Bessel function of the first kind of order v. DLMF 10.2. No derivative in v."
    return 0, 0.5 * (jv(v - 1, z) - jv(v + 1, z))


@special("gg_y0({0})", domain=(0.3, 6.0), tolerance=2, jax="")
def y0(x, y):
    "Bessel function of the second kind of order 0. DLMF 10.2."
    return (-y1(x),)


@special("gg_y1({0})", domain=(0.3, 6.0), tolerance=2, jax="")
def y1(x, y):
    "Bessel function of the second kind of order 1. DLMF 10.2."
    return (0.5 * (y0(x) - yn(2, x)),)


@special("gg_yn({0}, {1})", constants=(0,), domain=((2.0, 2.0), (0.5, 6.0)), tolerance=8, jax="")
def yn(n, x, y):
    "Bessel function of the second kind of a whole order n. DLMF 10.2. No derivative in n."
    return 0, 0.5 * (yn(n - 1, x) - yn(n + 1, x))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), tolerance=4, jax="")
def yv(v, z, y):
    "Bessel function of the second kind of order v. DLMF 10.2. No derivative in v."
    return 0, 0.5 * (yv(v - 1, z) - yv(v + 1, z))


@special("gg_ine({0}, {1})", of="ive", public=False, constants=(0,), domain=((2.0, 2.0), (0.5, 3.0)), jax="")
def _ine(n, x, y):
    "Modified Bessel function of the first kind of a whole order, times exp(-|x|)."
    return 0, 0.5 * (_ine(n - 1, x) + _ine(n + 1, x)) - sign(x) * y


@compound(home="special", public=False, constants=(0,), domain=((2.0, 2.0), (0.5, 3.0)),
          reference="scipy.special.iv", jax="")  # fmt: skip
def _in(n, x):
    "Modified Bessel function of the first kind of a whole order."
    return exp(absolute(x)) * _ine(n, x)


@_in.partials
def _of_in(n, x, y):
    return 0, 0.5 * (_in(n - 1, x) + _in(n + 1, x))


@special("gg_i0({0})", edges=(0.0,))
def i0(x, y):
    "Modified Bessel function of the first kind of order 0. DLMF 10.25."
    return (i1(x),)


@special("gg_i1({0})", edges=(0.0,))
def i1(x, y):
    "Modified Bessel function of the first kind of order 1. DLMF 10.25."
    return (0.5 * (i0(x) + _in(2, x)),)


@special("gg_ine(0, {0})", kinks=(0.0,))
def i0e(x, y):
    "exp(-|x|) times the modified Bessel function of the first kind of order 0. DLMF 10.25."
    return (i1e(x) - sign(x) * y,)


@special("gg_ine(1, {0})", kinks=(0.0,))
def i1e(x, y):
    "exp(-|x|) times the modified Bessel function of the first kind of order 1. DLMF 10.25."
    return (0.5 * (i0e(x) + _ine(2, x)) - sign(x) * y,)


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def iv(v, z, y):
    "Modified Bessel function of the first kind of order v. DLMF 10.25. No derivative in v."
    return 0, 0.5 * (iv(v - 1, z) + iv(v + 1, z))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def ive(v, z, y):
    "exp(-|z|) times the modified Bessel function of the first kind of order v. DLMF 10.25. No derivative in v."
    return 0, 0.5 * (ive(v - 1, z) + ive(v + 1, z)) - sign(z) * y


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def kv(v, z, y):
    "Modified Bessel function of the second kind of order v. DLMF 10.25. No derivative in v."
    return 0, -0.5 * (kv(v - 1, z) + kv(v + 1, z))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def kve(v, z, y):
    "exp(z) times the modified Bessel function of the second kind of order v. DLMF 10.25. No derivative in v."
    return 0, y - 0.5 * (kve(v - 1, z) + kve(v + 1, z))


@special(domain=(0.3, 4.0), jax="")
def k0(x, y):
    "Modified Bessel function of the second kind of order 0. DLMF 10.25."
    return (-k1(x),)


@special(domain=(0.3, 4.0), jax="")
def k1(x, y):
    "Modified Bessel function of the second kind of order 1. DLMF 10.25."
    return (-0.5 * (k0(x) + kv(2, x)),)


# ------------------------------------------------------------------------------------------- integrals of SciPy's


@special(domain=(0.3, 4.0), jax="jax.scipy.special.exp1")
def exp1(x, y):
    "Exponential integral E_1(x). DLMF 6.2."
    return (-exp(-x) / x,)


@special(domain=(0.5, 4.0), tolerance=8, jax="jax.scipy.special.expi")
def expi(x, y):
    "Exponential integral Ei(x). DLMF 6.2."
    return (exp(x) / x,)


@special(domain=((2.0, 2.0), (0.3, 4.0)), constants=(0,), jax="")
def expn(n, x, y):
    "Exponential integral E_n(x) of a whole order n. DLMF 8.19. No derivative in n."
    return 0, where(n == 0, -y * (1 + 1 / x), -expn(maximum(n - 1, 0), x))


@special(of="sici", part=0, domain=(0.3, 6.0), public=False, jax="")
def _si(x, y):
    "Sine integral, of sin(t) / t from 0 to x. DLMF 6.2."
    return (sinc(x / math.pi),)


@special(of="sici", part=1, domain=(0.3, 6.0), tolerance=4, public=False, jax="")
def _ci(x, y):
    "Cosine integral. DLMF 6.2."
    return (cos(x) / x,)


@special(of="fresnel", part=0, public=False, jax="")
def _fresnel_s(x, y):
    "Integral of sin(pi t*t / 2) from 0 to x. DLMF 7.2."
    return (sin(0.5 * math.pi * x * x),)


@special(of="fresnel", part=1, public=False, jax="")
def _fresnel_c(x, y):
    "Integral of cos(pi t*t / 2) from 0 to x. DLMF 7.2."
    return (cos(0.5 * math.pi * x * x),)


@special(domain=(0.2, 0.8), jax="jax.scipy.special.spence")
def spence(z, y):
    "Spence's function, the integral of log(t) / (1 - t) from 1 to z."
    u = z - 1
    near = absolute(u) < 0.05
    series: Any = 0.0
    for k in range(13, 0, -1):
        series = 1 / k - u * series
    return (-where(near, series, log(where(near, 1, z)) / where(near, 1, u)),)


@special(domain=((0.5, 2.0), (1.5, 3.0), (-2.0, 2.0)), constants=(0, 1), tolerance=4, jax="")
def hyp1f1(a, b, x, y):
    "Confluent hypergeometric function of Kummer. DLMF 13.2. No derivatives in a and b."
    return 0, 0, a / b * hyp1f1(a + 1, b + 1, x)


@special(domain=((0.5, 2.0), (0.5, 2.0), (2.5, 4.0), (-0.5, 0.5)), constants=(0, 1, 2), tolerance=4, jax="")
def hyp2f1(a, b, c, z, y):
    "Hypergeometric function of Gauss. DLMF 15.2. No derivatives in a, b and c."
    return 0, 0, 0, a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)

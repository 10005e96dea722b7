"""The table of elementwise ops: one row, one op.

A row gives the text in C, the partial derivatives in terms of inputs and output, where the op is sampled and which
points are special, how it is written, and by whom and how closely it is checked (see `Op`). Everything else, execution,
plans, gradients of every order, the function, the method, the NumPy protocol, the documentation, the type stubs and the
tests, comes from it. A boolean partial is a mask: the element took part or it did not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base.shapes import is_16_bit, is_float
from .coefficients import ERF_NEAR, ERF_TAIL
from .op import Op, compound, elementwise, same_common, same_float
from .selection import *

LN2 = math.log(2.0)
LN10 = math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)

# ---------------------------------------------------------------------------------------------------- arithmetic


@elementwise("{0} + {1}", exact=True, infix="+", binding=1)
def add(a, b, y):
    "Sum, a + b."
    return 1, 1


@elementwise("{0} - {1}", exact=True, infix="-", binding=1)
def subtract(a, b, y):
    "Difference, a - b."
    return 1, -1


def _difference(a: Any, b: Any, out: Any) -> None:
    np.subtract(a, b, out)
    np.copyto(out, 0, where=a == b)


@elementwise(
    "{0} == {1} ? gg_type({0}, 0) : {0} - {1}", numpy=_difference, types=np.subtract, exact=True, public=False,
    reference="numpy.subtract", jax="jax.numpy.subtract",
)  # fmt: skip
def difference(a, b, y):
    "a - b, and 0 for two equal infinities: what is left of a maximum that was subtracted."
    return 1, -1


@elementwise("{0} * {1}", exact=True, infix="*", binding=2, latex=r"(#1) \cdot (#2)")
def multiply(a, b, y):
    "Product, a * b."
    return b, a


@elementwise(
    "{0} / {1}", exact=True, domain=((-3.0, 3.0), (0.5, 3.0)), aliases=("true_divide",), infix="/", binding=2, latex=r"\frac{#1}{#2}",
)  # fmt: skip
def divide(a, b, y):
    "Quotient, a / b."
    r = reciprocal(b)
    return r, -(y * r)


@elementwise(
    "gg_floor_divide({0}, {1})", domain=((-3.0, 3.0), (0.5, 3.0)), infix="//", binding=2,
    latex=r"\left\lfloor \frac{#1}{#2} \right\rfloor",
)  # fmt: skip
def floor_divide(a, b, y):
    "Largest integer not above a / b; its derivative is 0 (at the jumps by convention)."
    return 0, 0


@elementwise("gg_remainder({0}, {1})", domain=((-3.0, 3.0), (0.5, 3.0)), infix="%", binding=2, latex=r"(#1) \bmod (#2)")
def remainder(a, b, y):
    "Remainder with the sign of b, a - b * floor(a / b)."
    return 1, -floor_divide(a, b)


@elementwise("gg_rest({0}, {1})", domain=((-3.0, 3.0), (0.5, 3.0)))
def fmod(a, b, y):
    "Remainder with the sign of a, a - b * trunc(a / b)."
    return 1, -trunc(a / b)


@elementwise(
    "gg_pow({0}, {1})", domain=((0.2, 3.0), (-2.0, 3.0)), naturals=(1,), infix="**", binding=3, latex="{(#1)}^{#2}"
)
def power(a, b, y):
    "Power, a ** b. The derivative in a is exact at a = 0; the derivative in b at a = 0 is 0 for b >= 0, and infinite below."
    at_zero = where(b < 0, -y, 0)  # the product of two infinities where y is one
    return where(b == 0, 0, b * power(a, b - 1)), where(a == 0, at_zero, y * log(where(a == 0, 1, a)))


@elementwise("-{0}", exact=True, infix="-", binding=2)
def negative(x, y):
    "Negation, -x."
    return (-1,)


@elementwise("+{0}", exact=True, infix="+", binding=2)
def positive(x, y):
    "x itself, +x."
    return (1,)


@elementwise("gg_abs({0})", exact=True, kinks=(0.0,), aliases=("abs",), latex=r"\left|#1\right|")
def absolute(x, y):
    "Absolute value, |x|; its derivative at 0 is 0 by convention."
    return (sign(x),)


@elementwise(
    "gg_sign({0})", exact=True, kinks=(0.0,), any_zero=True
)  # ml_dtypes keeps the sign of a zero, NumPy does not
def sign(x, y):
    "-1, 0 or 1 with the sign of x; its derivative is 0 (at 0 by convention)."
    return (0,)


@elementwise("gg_reciprocal({0})", exact=True, domain=(0.4, 3.0), latex=r"\frac{1}{#1}")
def reciprocal(x, y):
    "Reciprocal, 1 / x."
    return (-(y * y),)


@elementwise("{0} * {0}", exact=True, edges=(0.0,), binding=3, latex="{(#1)}^{2}")
def square(x, y):
    "Square, x * x."
    return (2 * x,)


def _cube(x: Any, out: Any) -> None:
    wide = x.astype(np.float32) if is_16_bit(out.dtype) else x  # one rounding per op
    np.multiply(np.multiply(wide, wide), wide, out, casting="unsafe")


@elementwise(
    "{0} * {0} * {0}", numpy=_cube, types=np.square, edges=(0.0,), exact=True, public=False, binding=3, latex="{(#1)}^{3}",
    reference="x * x * x", jax="x * x * x",
)  # fmt: skip
def cube(x, y):
    "Cube, x * x * x: what x ** 3 becomes."
    return (3 * square(x),)


@elementwise("gg_sqrt({0})", exact=True, domain=(0.1, 3.0), latex=r"\sqrt{#1}")
def sqrt(x, y):
    "Square root."
    return (0.5 / y,)


@elementwise("gg_cbrt({0})", domain=(0.2, 3.0), latex=r"\sqrt[3]{#1}")
def cbrt(x, y):
    "Cube root, also of negative numbers."
    return (reciprocal(3 * (y * y)),)


# ------------------------------------------------------------------------------------ exponentials and logarithms


@elementwise("gg_exp({0})", edges=(0.0,), latex="e^{#1}")
def exp(x, y):
    "Exponential, e to the power of x."
    return (y,)


@elementwise("gg_exp2({0})", edges=(0.0,), latex="2^{#1}")
def exp2(x, y):
    "2 to the power of x."
    return (y * LN2,)


@elementwise("gg_expm1({0})", edges=(0.0,))
def expm1(x, y):
    "exp(x) - 1, accurate near 0."
    return (y + 1,)


@elementwise("gg_log({0})", domain=(0.2, 3.0), edges=(1.0,), latex=r"\ln")
def log(x, y):
    "Natural logarithm."
    return (reciprocal(x),)


@elementwise("gg_log2({0})", domain=(0.2, 3.0), edges=(1.0,), latex=r"\log_{2}")
def log2(x, y):
    "Logarithm to base 2."
    return ((1 / LN2) / x,)


@elementwise("gg_log10({0})", domain=(0.2, 3.0), edges=(1.0,), latex=r"\log_{10}")
def log10(x, y):
    "Logarithm to base 10."
    return ((1 / LN10) / x,)


@elementwise("gg_log1p({0})", domain=(-0.8, 3.0), edges=(0.0,))
def log1p(x, y):
    "log(1 + x), accurate near 0."
    return (reciprocal(1 + x),)


# tolerance: it is 0 where exp(a) + exp(b) is 1, which a and b hit only up to their own rounding
@elementwise("gg_logaddexp({0}, {1})", edges=((0.0, 0.0), (1.0, 1.0)), tolerance=2)
def logaddexp(a, b, y):
    "log(exp(a) + exp(b)), without overflow."
    return _share(a, b), _share(b, a)


@elementwise("gg_logaddexp2({0}, {1})", edges=((0.0, 0.0), (1.0, 1.0)), tolerance=2)
def logaddexp2(a, b, y):
    "log2(2**a + 2**b), without overflow."
    return _share(a * LN2, b * LN2), _share(b * LN2, a * LN2)


def _share(a, b):
    # The share of exp(a) in exp(a) + exp(b). Two equal infinities share evenly, where a - b would be NaN.
    return sigmoid(where(logical_and(a == b, isinf(a)), 0, a - b))


# ---------------------------------------------------------------------------------------------- trigonometry


@elementwise("gg_sin({0})", edges=(0.0,), latex=r"\sin")
def sin(x, y):
    "Sine of x in radians."
    return (cos(x),)


@elementwise("gg_cos({0})", edges=(0.0,), latex=r"\cos")
def cos(x, y):
    "Cosine of x in radians."
    return (-sin(x),)


@elementwise("gg_tan({0})", domain=(-1.3, 1.3), edges=(0.0,), latex=r"\tan")
def tan(x, y):
    "Tangent of x in radians."
    return (1 + y * y,)


@elementwise("gg_asin({0})", domain=(-0.9, 0.9), edges=(0.0,), latex=r"\arcsin")
def arcsin(x, y):
    "Inverse sine, in radians."
    return (reciprocal(sqrt((1 - x) * (1 + x))),)


@elementwise("gg_acos({0})", domain=(-0.9, 0.9), edges=(0.0,), latex=r"\arccos")
def arccos(x, y):
    "Inverse cosine, in radians."
    return (-reciprocal(sqrt((1 - x) * (1 + x))),)


@elementwise("gg_atan({0})", edges=(0.0,), latex=r"\arctan")
def arctan(x, y):
    "Inverse tangent, in radians."
    return (reciprocal(1 + x * x),)


@elementwise("gg_atan2({0}, {1})", domain=((-3.0, 3.0), (0.5, 3.0)), edges=((0.0, 1.0),), kinks=((0.0, 0.0),))
def arctan2(a, b, y):
    "Angle of the point (b, a) in radians, from -pi to pi; both derivatives are 0 at (0, 0) by convention."
    r = hypot(a, b)
    r = where(r == 0, 1, r)
    return b / r / r, -(a / r / r)


@elementwise("gg_sinh({0})", edges=(0.0,), latex=r"\sinh")
def sinh(x, y):
    "Hyperbolic sine."
    return (cosh(x),)


@elementwise("gg_cosh({0})", edges=(0.0,), latex=r"\cosh")
def cosh(x, y):
    "Hyperbolic cosine."
    return (sinh(x),)


@elementwise("gg_tanh({0})", edges=(0.0,), latex=r"\tanh")
def tanh(x, y):
    "Hyperbolic tangent."
    return (1 - y * y,)


@elementwise("gg_asinh({0})", edges=(0.0,))
def arcsinh(x, y):
    "Inverse hyperbolic sine."
    return (reciprocal(hypot(x, 1.0)),)


@elementwise("gg_acosh({0})", domain=(1.2, 4.0))
def arccosh(x, y):
    "Inverse hyperbolic cosine, for x >= 1."
    return (reciprocal(sqrt(x - 1) * sqrt(x + 1)),)


@elementwise("gg_atanh({0})", domain=(-0.8, 0.8), edges=(0.0,))
def arctanh(x, y):
    "Inverse hyperbolic tangent, for |x| <= 1."
    return (reciprocal((1 - x) * (1 + x)),)


def _sinc(x: Any, out: Any) -> None:
    p = np.multiply(x.astype(np.float32) if is_16_bit(out.dtype) else x, math.pi)
    np.copyto(out, 1)
    np.divide(np.sin(p), p, out, where=p != 0, casting="unsafe")


def _sinc_types(t: Any) -> Any:
    return same_float(t if is_float(np.dtype(t)) else np.dtype(np.float64))  # NumPy computes integers in double


# tolerance: near its zeros, the whole numbers, what pi was rounded by is seen
@elementwise("gg_sinc({0})", numpy=_sinc, types=_sinc_types, edges=(0.0, 1.0), tolerance=2)
def sinc(x, y):
    "Normalized sinc, sin(pi x) / (pi x), and 1 at 0."
    # Near 0 the closed form cancels; the series has 13 terms, enough for double precision to high orders.
    near = absolute(x) < 0.3
    u = square(math.pi * x)
    series: Any = 0.0
    for k in range(13, 0, -1):
        series = series * u + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
    return (where(near, series * x * math.pi**2, (cos(math.pi * x) - y) / where(near, 1, x)),)


@elementwise("gg_hypot({0}, {1})", edges=((0.0, 1.0), (1.0, 0.0)), kinks=((0.0, 0.0),))
def hypot(a, b, y):
    "Length of (a, b), sqrt(a*a + b*b) without overflow; both derivatives are 0 at (0, 0) by convention."
    r = where(y == 0, 1, y)
    return a / r, b / r


@elementwise("{0} * gg_type({0}, 0.017453292519943295)", edges=(0.0,), aliases=("radians",))
def deg2rad(x, y):
    "Degrees to radians."
    return (math.pi / 180,)


@elementwise("{0} * gg_type({0}, 57.29577951308232)", edges=(0.0,), aliases=("degrees",))
def rad2deg(x, y):
    "Radians to degrees."
    return (180 / math.pi,)


# ----------------------------------------------------------------------------------- statistics and activations

# erf(x) = x + x P(x^2) up to |x| = 3/4, and 1 - exp(-x^2) Q(1 / (1 + |x| / 2) - 1/2) beyond: within 2 ulp of the exact value
# (SciPy is within 2.3).


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    total = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total *= x
        total += c
    return total


def _erf(x: Any, out: Any) -> None:
    v = x.astype(np.float64)
    a = np.minimum(np.abs(v), 6.0)  # beyond it erf is 1 in double precision; NaN passes
    tail = 1 - np.exp(-a * a) * _horner(ERF_TAIL, 1 / (1 + 0.5 * a) - 0.5)
    near = a + a * _horner(ERF_NEAR, np.square(np.minimum(a, 0.75)))
    np.copyto(out, np.copysign(np.where(a < 0.75, near, tail), v), casting="unsafe")


@elementwise(
    "gg_erf({0})", numpy=_erf, types=np.exp, edges=(0.0,), reference="scipy.special.erf", jax="jax.scipy.special.erf",
)  # fmt: skip
def erf(x, y):
    "Error function, 2 / sqrt(pi) times the integral of exp(-t*t) from 0 to x."
    return (TWO_OVER_SQRT_PI * exp(-(x * x)),)


@compound(edges=(0.0,), reference="scipy.special.expit", jax="jax.nn.sigmoid")
def sigmoid(x):
    "Logistic function, 1 / (1 + exp(-x))."
    return reciprocal(1 + exp(-x))


@sigmoid.partials
def _sigmoid(x, y):
    return (y * (1 - y),)


@compound(types=same_common, kinks=(0.0,), exact=True, reference="numpy.maximum(x, 0)", jax="jax.nn.relu")
def relu(x):
    "Rectified linear unit, max(x, 0); its derivative at 0 is 0 by convention."
    return maximum(x, 0)


@relu.partials
def _relu(x, y):
    return (x > 0,)


@compound(
    domain=((-3.0, 3.0), (0.01, 0.5)), kinks=((0.0, 0.1),), defaults={"negative_slope": 0.01},
    reference="numpy.where(x > 0, x, negative_slope * x)", jax="jax.nn.leaky_relu",
)  # fmt: skip
def leaky_relu(x, negative_slope):
    "x where positive, negative_slope * x elsewhere (also at 0, by convention)."
    return where(x > 0, x, negative_slope * x)


@leaky_relu.partials
def _leaky_relu(x, negative_slope, y):
    return where(x > 0, 1, negative_slope), where(x > 0, 0, x)


@compound(
    domain=((-3.0, 3.0), (0.5, 2.0)), kinks=((0.0, 0.7),), defaults={"alpha": 1.0},
    reference="numpy.where(x > 0, x, alpha * numpy.expm1(numpy.minimum(x, 0)))", jax="jax.nn.elu",
)  # fmt: skip
def elu(x, alpha):
    "Exponential linear unit: x where positive, alpha * (exp(x) - 1) elsewhere (also at 0, by convention)."
    return where(x > 0, x, alpha * expm1(x))


@elu.partials
def _elu(x, alpha, y):
    return where(x > 0, 1, alpha * exp(minimum(x, 0))), where(x > 0, 0, expm1(minimum(x, 0)))


# tolerance: 1 + erf(x) cancels where x is far below 0
@compound(edges=(0.0,), tolerance=2, reference="x * scipy.special.ndtr(x)", jax="jax.nn.gelu(x, approximate=False)")
def gelu(x):
    "Gaussian error linear unit, x * (1 + erf(x / sqrt(2))) / 2."
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


# tolerance: as of gelu
@compound(
    edges=(0.0,), public=False, tolerance=2, jax="jax.nn.gelu",
    reference="0.5 * x * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (x + 0.044715 * x**3)))",
)  # fmt: skip
def gelu_tanh(x):
    "The tanh approximation of gelu."
    return 0.5 * x * (1 + tanh(_gelu_angle(x)))


@gelu_tanh.partials
def _gelu_tanh(x, y):
    t = tanh(_gelu_angle(x))
    v = _within_10(x)
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * (v * v))
    return (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * slope,)


def _gelu_angle(x):
    v = _within_10(x)
    return math.sqrt(2 / math.pi) * (v + 0.044715 * (v * v * v))


def _within_10(x):
    # Beyond 10 the tanh is 1 to the last bit; without the limit x**3 would overflow and give inf * 0.
    return minimum(maximum(x, -10), 10)


@compound(edges=(0.0,), reference="x * scipy.special.expit(x)", jax="jax.nn.silu")
def silu(x):
    "Sigmoid linear unit, x * sigmoid(x), also called swish."
    return x * sigmoid(x)


@compound(edges=(0.0,), reference="numpy.logaddexp(x, 0)", jax="jax.nn.softplus")
def softplus(x):
    "log(1 + exp(x)), without overflow."
    return log1p(exp(-absolute(x))) + maximum(x, 0)


@softplus.partials
def _softplus(x, y):
    return (sigmoid(x),)


def power_by_number(base: Any, n: Any) -> tuple[Op | None, bool]:
    """The op that ``base ** n`` becomes for a Python number n: (op, takes n too). (None, False) means base itself.

    NumPy's power differs in the last bit between a scalar and an array exponent; these forms do not, and they are
    exact at 0 at every order.
    """
    special = {-1: reciprocal, 0.5: sqrt, 2: square, 3: cube}
    if n == 1:
        return None, False
    op = special.get(n)
    return (op, False) if op is not None else (power, True)

"""Rows of elementwise ops that choose, compare, round, or work on bits: those that the other rows are written with."""

from __future__ import annotations

from typing import Any

import numpy as np

from .op import Masked, compound, elementwise, same_common, select_types, without_derivative

# ------------------------------------------------------------------------------------------------- selection


# any_zero: of two zeros NumPy, too, returns either.


def _half(tie):
    return where(tie, 0.5, 1)


@elementwise("gg_maximum({0}, {1})", exact=True, kinks=((1.0, 1.0),), any_zero=True, latex=r"\max")
def maximum(a, b, y):
    "The larger of a and b, NaN if either is; ties share the gradient evenly."
    tie = a == b
    return Masked(logical_not(a < b), _half(tie)), Masked(logical_not(b < a), _half(tie))


@elementwise("gg_minimum({0}, {1})", exact=True, kinks=((1.0, 1.0),), any_zero=True, latex=r"\min")
def minimum(a, b, y):
    "The smaller of a and b, NaN if either is; ties share the gradient evenly."
    tie = a == b
    return Masked(logical_not(a > b), _half(tie)), Masked(logical_not(b > a), _half(tie))


@elementwise("gg_fmax({0}, {1})", exact=True, kinks=((1.0, 1.0),), any_zero=True)
def fmax(a, b, y):
    "The larger of a and b, ignoring NaN; ties share the gradient evenly."
    tie = a == b
    return Masked(logical_or(a >= b, isnan(b)), _half(tie)), Masked(logical_or(b >= a, isnan(a)), _half(tie))


@elementwise("gg_fmin({0}, {1})", exact=True, kinks=((1.0, 1.0),), any_zero=True)
def fmin(a, b, y):
    "The smaller of a and b, ignoring NaN; ties share the gradient evenly."
    tie = a == b
    return Masked(logical_or(a <= b, isnan(b)), _half(tie)), Masked(logical_or(b <= a, isnan(a)), _half(tie))


def _where(c: Any, a: Any, b: Any, out: Any) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=c)


@elementwise("gg_where({0}, {1}, {2})", numpy=_where, types=select_types, exact=True)
def where(condition, a, b, y):
    "a where the condition holds, b elsewhere; the branch not taken contributes exactly 0 to the gradient."
    return 0, condition, logical_not(condition)


@elementwise("gg_sqrt({0})", numpy=np.sqrt, exact=True, domain=(0.1, 3.0), kinks=(0.0,), public=False, latex=r"\sqrt{#1}",
             reference="numpy.sqrt", jax="jax.numpy.sqrt")  # fmt: skip
def root(x, y):
    "Square root, with the derivative 0 at 0 by convention: what lengths are made with."
    at_zero = y == 0
    return (Masked(logical_not(at_zero), 0.5 / where(at_zero, 1, y)),)


@compound(types=same_common, domain=((-3.0, 3.0), (-2.0, -1.0), (1.0, 2.0)), exact=True)
def clip(x, lower, upper):
    "x limited to the interval from lower to upper; at the limits the derivative in x is 1."
    return minimum(maximum(x, lower), upper)


@clip.partials
def _clip(x, lower, upper, y):
    return (
        logical_and(x >= lower, x <= upper),
        logical_and(x < lower, lower <= upper),
        logical_or(x > upper, lower > upper),
    )


# -------------------------------------------------------------------------------------------------- rounding


@elementwise("gg_floor({0})", exact=True, latex=r"\left\lfloor #1 \right\rfloor")
def floor(x, y):
    "Largest integer not above x; its derivative is 0."
    return (0,)


@elementwise("gg_ceil({0})", exact=True, latex=r"\left\lceil #1 \right\rceil")
def ceil(x, y):
    "Smallest integer not below x; its derivative is 0."
    return (0,)


@elementwise("gg_trunc({0})", exact=True)
def trunc(x, y):
    "x without its fraction; its derivative is 0."
    return (0,)


@elementwise("gg_copysign({0}, {1})", exact=True, kinks=((0.0, 1.0),))
def copysign(a, b, y):
    "The size of a with the sign of b."
    return where(a == 0, 0, where(signbit(a), -1, 1)) * copysign(1, b), 0


@elementwise("gg_heaviside({0}, {1})", exact=True, kinks=((0.0, 1.0),))
def heaviside(a, b, y):
    "0 where a is negative, 1 where it is positive, b where it is 0. Its derivative by a is 0."
    return 0, Masked(a == 0, 1)


@elementwise("gg_rint({0})", exact=True)
def rint(x, y):
    "Nearest integer, ties to even; its derivative is 0."
    return (0,)


# ------------------------------------------------------------------------------- comparisons, logic, and bits

less = without_derivative("less", "{0} < {1}", "True where a < b.", 2, infix="<")
less_equal = without_derivative("less_equal", "{0} <= {1}", "True where a <= b.", 2, infix="<=", latex=r"(#1) \le (#2)")
greater = without_derivative("greater", "{0} > {1}", "True where a > b.", 2, infix=">")
greater_equal = without_derivative(
    "greater_equal", "{0} >= {1}", "True where a >= b.", 2, infix=">=", latex=r"(#1) \ge (#2)"
)
equal = without_derivative("equal", "{0} == {1}", "True where a equals b.", 2, infix="==", latex=r"(#1) = (#2)")
not_equal = without_derivative(
    "not_equal", "{0} != {1}", "True where a differs from b.", 2, infix="!=", latex=r"(#1) \ne (#2)"
)
logical_and = without_derivative("logical_and", "{0} && {1}", "True where both are non-zero.", 2)
logical_or = without_derivative("logical_or", "{0} || {1}", "True where either is non-zero.", 2)
logical_xor = without_derivative("logical_xor", "!{0} != !{1}", "True where exactly one is non-zero.", 2)
logical_not = without_derivative("logical_not", "!{0}", "True where x is zero.")
bitwise_and = without_derivative("bitwise_and", "{0} & {1}", "Bits set in both integers.", 2)
bitwise_or = without_derivative("bitwise_or", "{0} | {1}", "Bits set in either integer.", 2)
bitwise_xor = without_derivative("bitwise_xor", "{0} ^ {1}", "Bits set in exactly one integer.", 2)
invert = without_derivative("invert", "gg_invert({0})", "Bits of the integer flipped; logical not of a boolean.")
left_shift = without_derivative("left_shift", "gg_left_shift({0}, {1})", "a shifted left by b bits.", 2)
right_shift = without_derivative("right_shift", "gg_right_shift({0}, {1})", "a shifted right by b bits.", 2)
isnan = without_derivative("isnan", "gg_isnan({0})", "True where x is NaN.")
signbit = without_derivative("signbit", "gg_signbit({0})", "True where the sign is minus, that of a zero included.")
isinf = without_derivative("isinf", "gg_isinf({0})", "True where x is an infinity.")
isfinite = without_derivative("isfinite", "gg_isfinite({0})", "True where x is neither NaN nor an infinity.")

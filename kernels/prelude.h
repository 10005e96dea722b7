// Typed helpers behind the C text of the op table: one text for C++ and CUDA.
// What NumPy defines (signs of zero, NaN, integer division) is defined the same way here.
#pragma once

#ifdef __CUDACC__
#define GG_FN template <typename T> __device__ __forceinline__
#define GG_STD
#else
#include <cmath>
#include <cstdint>
#define GG_FN template <typename T> static inline
#define GG_STD std::
typedef float float32;
typedef double float64;
typedef std::int8_t int8;
typedef std::int16_t int16;
typedef std::int32_t int32;
typedef std::int64_t int64;
typedef std::uint8_t uint8;
typedef std::uint16_t uint16;
typedef std::uint32_t uint32;
typedef std::uint64_t uint64;
#endif

#define gg_type(x, c) (static_cast<decltype(x)>(c))  // a constant in the type of an operand

template <typename To, typename From>
#ifdef __CUDACC__
__device__ __forceinline__
#else
static inline
#endif
To gg_cast(From x) { return static_cast<To>(x); }

#define GG_MATH(name, function) GG_FN T gg_##name(T x) { return GG_STD function(x); }
GG_MATH(sqrt, sqrt)
GG_MATH(cbrt, cbrt)
GG_MATH(exp, exp)
GG_MATH(exp2, exp2)
GG_MATH(expm1, expm1)
GG_MATH(log, log)
GG_MATH(log2, log2)
GG_MATH(log10, log10)
GG_MATH(log1p, log1p)
GG_MATH(sin, sin)
GG_MATH(cos, cos)
GG_MATH(tan, tan)
GG_MATH(asin, asin)
GG_MATH(acos, acos)
GG_MATH(atan, atan)
GG_MATH(sinh, sinh)
GG_MATH(cosh, cosh)
GG_MATH(tanh, tanh)
GG_MATH(asinh, asinh)
GG_MATH(acosh, acosh)
GG_MATH(atanh, atanh)
GG_MATH(erf, erf)
GG_MATH(floor, floor)
GG_MATH(ceil, ceil)
GG_MATH(trunc, trunc)
GG_MATH(rint, rint)
#undef GG_MATH

GG_FN bool gg_isnan(T x) { return x != x; }
GG_FN bool gg_isfinite(T x) { return x - x == 0; }
GG_FN bool gg_isinf(T x) { return !(x != x) && !(x - x == 0); }
GG_FN T gg_abs(T x) { return x < 0 ? -x : (x == 0 ? T(0) : x); }
GG_FN T gg_sign(T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : (x == 0 ? T(0) : x); }
GG_FN T gg_maximum(T a, T b) { return a >= b || a != a ? a : b; }
GG_FN T gg_minimum(T a, T b) { return a <= b || a != a ? a : b; }
GG_FN T gg_fmax(T a, T b) { return a >= b || b != b ? a : b; }
GG_FN T gg_fmin(T a, T b) { return a <= b || b != b ? a : b; }
GG_FN T gg_hypot(T a, T b) { return GG_STD hypot(a, b); }
GG_FN T gg_atan2(T a, T b) { return GG_STD atan2(a, b); }
GG_FN T gg_pow(T a, T b) { return GG_STD pow(a, b); }
GG_FN T gg_sinc(T x) {
    const T p = x * T(3.14159265358979323846);
    return p == 0 ? T(1) : T(GG_STD sin(p) / p);
}

// log(exp(a) + exp(b)); equal infinities stay what they are.
GG_FN T gg_logaddexp(T a, T b) {
    if (a == b) return a + T(0.693147180559945309417);
    const T d = a - b;
    if (d > 0) return a + T(GG_STD log1p(GG_STD exp(-d)));
    if (d <= 0) return b + T(GG_STD log1p(GG_STD exp(d)));
    return d;
}
GG_FN T gg_logaddexp2(T a, T b) {
    if (a == b) return a + T(1);
    const T d = a - b, ln2 = T(0.693147180559945309417);
    if (d > 0) return a + T(GG_STD log1p(GG_STD exp2(-d)) / ln2);
    if (d <= 0) return b + T(GG_STD log1p(GG_STD exp2(d)) / ln2);
    return d;
}

// Floating-point remainder and quotient by the rule of Python: the remainder has the sign of b.
GG_FN T gg_remainder(T a, T b) {
    T m = GG_STD fmod(a, b);
    if (b == 0) return m;
    if (m != 0) return (b < 0) != (m < 0) ? m + b : m;
    return GG_STD copysign(T(0), b);
}
GG_FN T gg_floor_divide(T a, T b) {
    if (b == 0) return a / b;
    T m = GG_STD fmod(a, b), q = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) q -= T(1);
    if (q == 0) return GG_STD copysign(T(0), a / b);
    const T f = GG_STD floor(q);
    return q - f > T(0.5) ? f + T(1) : f;
}

// Bits of integers; a shift by the width or more gives what shifting one by one would.
GG_FN T gg_invert(T x) { return static_cast<T>(~x); }
GG_FN T gg_left_shift(T a, T b) { return b >= 0 && static_cast<unsigned long long>(b) < 8 * sizeof(T) ? static_cast<T>(a << b) : T(0); }
GG_FN T gg_right_shift(T a, T b) {
    return b >= 0 && static_cast<unsigned long long>(b) < 8 * sizeof(T) ? static_cast<T>(a >> b) : (a < 0 ? T(-1) : T(0));
}

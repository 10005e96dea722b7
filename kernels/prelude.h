// Typed helpers behind the C text of the op table: one text for C++ and CUDA.
// What NumPy defines (signs of zero, NaN, integer division) is defined the same way here.
// A generated kernel carries the paragraphs that it uses; a paragraph is picked by the gg_ names that it defines.
#pragma once

typedef float float32;
typedef double float64;
typedef signed char int8;
typedef short int16;
typedef int int32;
typedef long long int64;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned int uint32;
typedef unsigned long long uint64;

#ifdef __CUDACC__
#define GG_DEVICE __device__ __forceinline__
#define GG_MEMBER static __device__ __forceinline__
#define GG_DEVICE_MEMBER __device__ __forceinline__
#define GG_BUILTIN(name) name
#define GG_INF __longlong_as_double(0x7ff0000000000000ll)
#define GG_NAN __longlong_as_double(0x7ff8000000000000ll)
#else
#define GG_DEVICE static inline
#define GG_MEMBER static inline
#define GG_BUILTIN(name) __builtin_##name
#define GG_INF __builtin_inf()
#define GG_NAN __builtin_nan("")
#endif
#define GG_FN template <typename T> GG_DEVICE
#define gg_type(x, c) (static_cast<decltype((x) + 0)>(c))  // a constant in the type of an operand

// Functions of the mathematics library. On x86-64 with glibc a loop calls its vector library; a call that is not in a
// loop takes one lane of the same function, so that no bit depends on whether the compiler vectorized something.
#if defined(__CUDACC__) || !defined(GG_LIBMVEC)
#define GG_LIBM_1(name, libm) \
    GG_DEVICE float32 gg_##name(float32 x) { return GG_BUILTIN(libm##f)(x); } \
    GG_DEVICE float64 gg_##name(float64 x) { return GG_BUILTIN(libm)(x); }
#define GG_LIBM_2(name, libm) \
    GG_DEVICE float32 gg_##name(float32 x, float32 y) { return GG_BUILTIN(libm##f)(x, y); } \
    GG_DEVICE float64 gg_##name(float64 x, float64 y) { return GG_BUILTIN(libm)(x, y); }
#else
#if defined(__AVX512F__)
#define GG_BYTES 64
#define GG_VARIANT32(v, f) _ZGVeN16##v##_##f
#define GG_VARIANT64(v, f) _ZGVeN8##v##_##f
#elif defined(__AVX2__)
#define GG_BYTES 32
#define GG_VARIANT32(v, f) _ZGVdN8##v##_##f
#define GG_VARIANT64(v, f) _ZGVdN4##v##_##f
#else
#define GG_BYTES 16
#define GG_VARIANT32(v, f) _ZGVbN4##v##_##f
#define GG_VARIANT64(v, f) _ZGVbN2##v##_##f
#endif
typedef float32 gg_vector32 __attribute__((vector_size(GG_BYTES)));
typedef float64 gg_vector64 __attribute__((vector_size(GG_BYTES)));
#define GG_TEXT(x) #x
#define GG_QUOTE(x) GG_TEXT(x)
#define GG_LANES32 (GG_BYTES / 4)
#define GG_LANES64 (GG_BYTES / 8)
#define GG_ALIAS(mine, theirs) __asm__(".set " GG_QUOTE(mine) ", " GG_QUOTE(theirs))
#define GG_SIMD(lanes) _Pragma(GG_QUOTE(omp declare simd simdlen(lanes) notinbranch))
#define GG_ONE_1(own, bits, variant) \
    GG_SIMD(GG_LANES##bits) extern "C" float##bits own(float##bits) __attribute__((const)); \
    extern "C" gg_vector##bits variant(gg_vector##bits); \
    extern "C" float##bits own##_one(float##bits x) { return variant(x - gg_vector##bits{})[0]; } \
    GG_ALIAS(own, own##_one);
#define GG_ONE_2(own, bits, variant) \
    GG_SIMD(GG_LANES##bits) extern "C" float##bits own(float##bits, float##bits) __attribute__((const)); \
    extern "C" gg_vector##bits variant(gg_vector##bits, gg_vector##bits); \
    extern "C" float##bits own##_one(float##bits x, float##bits y) { \
        return variant(x - gg_vector##bits{}, y - gg_vector##bits{})[0]; \
    } \
    GG_ALIAS(own, own##_one);
#define GG_LIBM_1(name, libm) \
    GG_ONE_1(gg_##libm##_f32, 32, GG_VARIANT32(v, libm##f)) GG_ONE_1(gg_##libm##_f64, 64, GG_VARIANT64(v, libm)) \
    GG_ALIAS(GG_VARIANT32(v, gg_##libm##_f32), GG_VARIANT32(v, libm##f)); \
    GG_ALIAS(GG_VARIANT64(v, gg_##libm##_f64), GG_VARIANT64(v, libm)); \
    GG_DEVICE float32 gg_##name(float32 x) { return gg_##libm##_f32(x); } \
    GG_DEVICE float64 gg_##name(float64 x) { return gg_##libm##_f64(x); }
#define GG_LIBM_2(name, libm) \
    GG_ONE_2(gg_##libm##_f32, 32, GG_VARIANT32(vv, libm##f)) GG_ONE_2(gg_##libm##_f64, 64, GG_VARIANT64(vv, libm)) \
    GG_ALIAS(GG_VARIANT32(vv, gg_##libm##_f32), GG_VARIANT32(vv, libm##f)); \
    GG_ALIAS(GG_VARIANT64(vv, gg_##libm##_f64), GG_VARIANT64(vv, libm)); \
    GG_DEVICE float32 gg_##name(float32 x, float32 y) { return gg_##libm##_f32(x, y); } \
    GG_DEVICE float64 gg_##name(float64 x, float64 y) { return gg_##libm##_f64(x, y); }
#endif

// One instruction each, or a few, on every machine.
#define GG_EXACT_1(name, libm) \
    GG_DEVICE float32 gg_##name(float32 x) { return GG_BUILTIN(libm##f)(x); } \
    GG_DEVICE float64 gg_##name(float64 x) { return GG_BUILTIN(libm)(x); } \
    GG_FN T gg_##name(T x) { return x; }

// Bits of a number, and a number from its bits.
GG_DEVICE uint32 gg_bits(float32 x) { uint32 u; GG_BUILTIN(memcpy)(&u, &x, 4); return u; }
GG_DEVICE float32 gg_float(uint32 u) { float32 x; GG_BUILTIN(memcpy)(&x, &u, 4); return x; }
GG_DEVICE float64 gg_double(uint64 u) { float64 x; GG_BUILTIN(memcpy)(&x, &u, 8); return x; }

// a b + c, rounded once where the machine does that in one instruction.
#if defined(__FMA__) || defined(__aarch64__)
GG_DEVICE float32 gg_fma(float32 a, float32 b, float32 c) { return __builtin_fmaf(a, b, c); }
GG_DEVICE float64 gg_fma(float64 a, float64 b, float64 c) { return __builtin_fma(a, b, c); }
#else
GG_FN T gg_fma(T a, T b, T c) { return a * b + c; }
#endif

// 16-bit floats are stored as bits and computed in float32; gg_float16 and gg_bfloat16 round a result, to nearest even.
struct float16 { uint16 bits; };
struct bfloat16 { uint16 bits; };

GG_DEVICE float32 gg_load16(float16 h) {
#ifdef __CUDA_ARCH__
    float32 x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h.bits));
    return x;
#else
    const uint32 magnitude = h.bits & 0x7fffu, sign = (h.bits & 0x8000u) << 16;
    const uint32 finite = gg_bits(gg_float(magnitude << 13) * gg_float(0x77800000u));
    return gg_float(sign | (magnitude >= 0x7c00u ? (magnitude << 13) | 0x7f800000u : finite));
#endif
}
GG_DEVICE float32 gg_load16(bfloat16 h) { return gg_float(static_cast<uint32>(h.bits) << 16); }

GG_DEVICE uint16 gg_store_float16(float32 x) {
#ifdef __CUDA_ARCH__
    uint16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    const uint32 u = gg_bits(x) & 0x7fffffffu, sign = (gg_bits(x) & 0x80000000u) >> 16;
    const uint32 normal = (u + 0xc8000fffu + ((u >> 13) & 1u)) >> 13;
    const uint32 small = gg_bits(gg_float(u) + 0.5f) - 0x3f000000u;  // the sum rounds at the last subnormal bit
    const uint32 large = u > 0x7f800000u ? 0x7e00u : 0x7c00u;
    return static_cast<uint16>(sign | (u >= 0x47800000u ? large : u < 0x38800000u ? small : normal));
#endif
}

GG_DEVICE uint16 gg_store_bfloat16(float32 x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    const uint32 u = gg_bits(x), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<uint16>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
#endif
}

// Rounding a float64 to float16 by way of float32 must not round twice: the first rounding is to odd. (To bfloat16 it is
// rounded twice, as ml_dtypes does it.)
GG_DEVICE float32 gg_odd(float64 x) {
    const uint32 nearest = gg_bits(static_cast<float32>(x));
    const bool above = GG_BUILTIN(fabs)(static_cast<float64>(gg_float(nearest))) > GG_BUILTIN(fabs)(x);
    const uint32 toward_zero = above ? nearest - 1u : nearest;
    return gg_float(static_cast<float64>(gg_float(toward_zero)) != x ? toward_zero | 1u : toward_zero);
}

GG_DEVICE float32 gg_float16(float32 x) { return gg_load16(float16{gg_store_float16(x)}); }
GG_DEVICE float32 gg_float16(float64 x) { return gg_float16(gg_odd(x)); }
GG_FN float32 gg_float16(T x) { return gg_float16(static_cast<float32>(x)); }

GG_DEVICE float32 gg_bfloat16(float32 x) { return gg_load16(bfloat16{gg_store_bfloat16(x)}); }
GG_FN float32 gg_bfloat16(T x) { return gg_bfloat16(static_cast<float32>(x)); }

// Conversions. A float that no integer of the type is near becomes what x86 makes of it: the smallest int32 or int64.
template <typename To, typename From> struct gg_converter {
    GG_MEMBER To to(From x) { return static_cast<To>(x); }
};
template <typename To> struct gg_float_to_integer {
    GG_MEMBER To to(float64 x) {
        if (sizeof(To) < 4 || (sizeof(To) == 4 && To(-1) < To(0)))
            return static_cast<To>(x > -2147483649.0 && x < 2147483648.0 ? static_cast<int32>(x) : (-2147483647 - 1));
        const bool upper = To(-1) > To(0) && sizeof(To) == 8 && x >= 9223372036854775808.0 && x < 18446744073709551616.0;
        const float64 y = upper ? x - 9223372036854775808.0 : x;
        const bool fits = y >= -9223372036854775808.0 && y < 9223372036854775808.0;
        const int64 whole = fits ? static_cast<int64>(y) : (-9223372036854775807ll - 1);
        return static_cast<To>(upper ? static_cast<uint64>(whole) + 9223372036854775808ull : static_cast<uint64>(whole));
    }
};
#define GG_TO_INTEGER(type) \
    template <> struct gg_converter<type, float32> : gg_float_to_integer<type> {}; \
    template <> struct gg_converter<type, float64> : gg_float_to_integer<type> {};
GG_TO_INTEGER(int8) GG_TO_INTEGER(int16) GG_TO_INTEGER(int32) GG_TO_INTEGER(int64)
GG_TO_INTEGER(uint8) GG_TO_INTEGER(uint16) GG_TO_INTEGER(uint32) GG_TO_INTEGER(uint64)
template <typename From> struct gg_converter<bool, From> {
    GG_MEMBER bool to(From x) { return x != 0; }
};
template <typename To> struct gg_converter<To, bool> {
    GG_MEMBER To to(bool x) { return x ? To(1) : To(0); }
};
template <> struct gg_converter<bool, bool> {
    GG_MEMBER bool to(bool x) { return x; }
};
template <typename To, typename From> GG_DEVICE To gg_cast(From x) { return gg_converter<To, From>::to(x); }

// exp: x = n ln 2 + r, and e^r is the Taylor series, since |r| is at most 0.35; 2^n in two factors, for results that are subnormal.
// Written out for the CPU: inline, it is faster than a call, and whatever the argument, as fast.
#ifdef __CUDACC__
GG_DEVICE float32 gg_exp(float32 x) { return expf(x); }
GG_DEVICE float64 gg_exp(float64 x) { return exp(x); }
#else
GG_DEVICE float32 gg_exp(float32 x) {
    const float32 low = x < -104 ? -104 : x, near = low > 89 ? 89 : low, n = __builtin_rintf(near * 1.44269504f);
    const float32 r = gg_fma(n, 2.12194440e-4f, gg_fma(n, -0.693359375f, near));
    float32 p = gg_fma(r, 1 / 5040.f, 1 / 720.f);
    p = gg_fma(p, r, 1 / 120.f);
    p = gg_fma(p, r, 1 / 24.f);
    p = gg_fma(p, r, 1 / 6.f);
    p = gg_fma(p, r, 0.5f);
    p = gg_fma(p, r * r, r) + 1;
    const int32 k = static_cast<int32>(n), half = k >> 1;
    return p * gg_float(static_cast<uint32>(half + 127) << 23) * gg_float(static_cast<uint32>(k - half + 127) << 23);
}
GG_DEVICE float64 gg_exp(float64 x) {
    const float64 low = x < -746 ? -746 : x, near = low > 710 ? 710 : low, n = __builtin_rint(near * 1.44269504088896340736);
    const float64 r = gg_fma(n, -1.90821492927058770002e-10, gg_fma(n, -6.93147180369123816490e-1, near));
    float64 p = gg_fma(r, 1 / 6227020800., 1 / 479001600.);
    p = gg_fma(p, r, 1 / 39916800.);
    p = gg_fma(p, r, 1 / 3628800.);
    p = gg_fma(p, r, 1 / 362880.);
    p = gg_fma(p, r, 1 / 40320.);
    p = gg_fma(p, r, 1 / 5040.);
    p = gg_fma(p, r, 1 / 720.);
    p = gg_fma(p, r, 1 / 120.);
    p = gg_fma(p, r, 1 / 24.);
    p = gg_fma(p, r, 1 / 6.);
    p = gg_fma(p, r, 0.5);
    p = gg_fma(p, r * r, r) + 1;
    const int64 k = static_cast<int64>(n), half = k >> 1;
    return p * gg_double(static_cast<uint64>(half + 1023) << 52) * gg_double(static_cast<uint64>(k - half + 1023) << 52);
}
#endif

GG_LIBM_1(exp2, exp2)

GG_LIBM_1(expm1, expm1)

GG_LIBM_1(log, log)

GG_LIBM_1(log2, log2)

GG_LIBM_1(log10, log10)

GG_LIBM_1(log1p, log1p)

GG_LIBM_1(sin, sin)

GG_LIBM_1(cos, cos)

GG_LIBM_1(tan, tan)

GG_LIBM_1(asin, asin)

GG_LIBM_1(acos, acos)

GG_LIBM_1(atan, atan)

GG_LIBM_1(sinh, sinh)

GG_LIBM_1(cosh, cosh)

GG_LIBM_1(tanh, tanh)

GG_LIBM_1(asinh, asinh)

GG_LIBM_1(acosh, acosh)

GG_LIBM_1(atanh, atanh)

GG_LIBM_1(erf, erf)

GG_LIBM_1(cbrt, cbrt)

GG_LIBM_2(hypot, hypot)

GG_LIBM_2(atan2, atan2)

GG_EXACT_1(sqrt, sqrt)

GG_EXACT_1(floor, floor)

GG_EXACT_1(ceil, ceil)

GG_EXACT_1(trunc, trunc)

GG_EXACT_1(rint, rint)

// Whether an integer is negative, in words that do not puzzle a compiler where it has no sign.
GG_FN bool gg_below_zero(T x) { return (x < T(1)) & (x != T(0)); }

GG_DEVICE bool gg_where(bool c, bool a, bool b) { return (c & a) | (!c & b); }
GG_FN T gg_where(bool c, T a, T b) { return c ? a : b; }

GG_FN bool gg_isnan(T x) { return x != x; }

GG_FN bool gg_isfinite(T x) { return x - x == 0; }

GG_FN bool gg_isinf(T x) { return (x == x) & !(x - x == 0); }

GG_DEVICE float32 gg_abs(float32 x) { return GG_BUILTIN(fabsf)(x); }
GG_DEVICE float64 gg_abs(float64 x) { return GG_BUILTIN(fabs)(x); }
GG_FN T gg_abs(T x) { return static_cast<T>(gg_below_zero(x) ? -x : x); }

GG_FN T gg_sign(T x) { return x > 0 ? T(1) : x == 0 ? T(0) : x != x ? x : T(-1); }

GG_FN T gg_maximum(T a, T b) { return (a >= b) | (a != a) ? a : b; }

GG_FN T gg_minimum(T a, T b) { return (a <= b) | (a != a) ? a : b; }

GG_FN T gg_fmax(T a, T b) { return (a >= b) | (b != b) ? a : b; }

GG_FN T gg_fmin(T a, T b) { return (a <= b) | (b != b) ? a : b; }

// 1 / x; of the integer 0, what NumPy gives: the smallest int32 or int64, 0 for the other types.
GG_DEVICE float32 gg_reciprocal(float32 x) { return 1 / x; }
GG_DEVICE float64 gg_reciprocal(float64 x) { return 1 / x; }
GG_FN T gg_reciprocal(T x) {
    const T of_zero = gg_below_zero(T(-1)) ? gg_cast<T>(static_cast<float64>(GG_INF)) : T(0);
    return x == 0 ? of_zero : static_cast<T>(1 / (x == 0 ? T(1) : x));
}

GG_LIBM_2(pow_float, pow)

// Powers of integers by squaring, modulo their width. A negative exponent is refused before it gets here.
GG_DEVICE float32 gg_pow(float32 a, float32 b) { return gg_pow_float(a, b); }
GG_DEVICE float64 gg_pow(float64 a, float64 b) { return gg_pow_float(a, b); }
GG_FN T gg_pow(T a, T b) {
    uint64 result = 1, base = static_cast<uint64>(a);
    for (uint64 n = gg_below_zero(b) ? 0 : static_cast<uint64>(b); n; n >>= 1, base *= base)
        if (n & 1) result *= base;
    return static_cast<T>(result);
}

// sin(pi x) / (pi x); near 0 that is 1
GG_FN T gg_sinc(T x) {
    const T p = x * T(3.14159265358979323846);
    const T q = p == 0 ? T(1e-30) : p;
    return gg_sin(q) / q;
}

// log(exp(a) + exp(b)). Equal operands, also infinite ones, have the difference 0.
GG_FN T gg_logaddexp(T a, T b) {
    const T d = a - b, larger = d > 0 ? a : b;
    return larger + gg_log1p(gg_exp(a == b ? T(0) : -gg_abs(d)));
}

// log2(2**a + 2**b)
GG_FN T gg_logaddexp2(T a, T b) {
    const T d = a - b, larger = d > 0 ? a : b;
    return larger + gg_log1p(gg_exp2(a == b ? T(0) : -gg_abs(d))) * T(1.44269504088896340736);
}

// Floating-point remainder by the rule of Python: it has the sign of b. Integers: 0 for a divisor of 0, as in NumPy.
GG_DEVICE float32 gg_fmod(float32 a, float32 b) { return GG_BUILTIN(fmodf)(a, b); }
GG_DEVICE float64 gg_fmod(float64 a, float64 b) { return GG_BUILTIN(fmod)(a, b); }
GG_DEVICE float32 gg_copysign(float32 a, float32 b) { return GG_BUILTIN(copysignf)(a, b); }
GG_DEVICE float64 gg_copysign(float64 a, float64 b) { return GG_BUILTIN(copysign)(a, b); }
template <typename T> struct gg_division {  // of integers
    GG_MEMBER bool overflows(T b) { return gg_below_zero(T(-1)) && b == T(-1); }
    GG_MEMBER T remainder(T a, T b) {
        if (b == 0 || overflows(b)) return 0;
        const T m = static_cast<T>(a % b);
        return m != 0 && gg_below_zero(m) != gg_below_zero(b) ? static_cast<T>(m + b) : m;
    }
    GG_MEMBER T quotient(T a, T b) {
        if (b == 0) return 0;
        if (overflows(b)) return static_cast<T>(-a);
        return static_cast<T>(a / b - (a % b != 0 && gg_below_zero(a) != gg_below_zero(b)));
    }
};
template <typename T> struct gg_float_division {
    GG_MEMBER T remainder(T a, T b) {
        const T m = gg_fmod(a, b);
        if (b == 0) return m;
        if (m != 0) return (b < 0) != (m < 0) ? m + b : m;
        return gg_copysign(T(0), b);
    }
    GG_MEMBER T quotient(T a, T b) {
        if (b == 0) return a / b;
        const T m = gg_fmod(a, b);
        T q = (a - m) / b;
        if (m != 0 && (b < 0) != (m < 0)) q -= T(1);
        if (q == 0) return gg_copysign(T(0), a / b);
        const T f = gg_floor(q);
        return q - f > T(0.5) ? f + T(1) : f;
    }
};
template <> struct gg_division<float32> : gg_float_division<float32> {};
template <> struct gg_division<float64> : gg_float_division<float64> {};
GG_FN T gg_remainder(T a, T b) { return gg_division<T>::remainder(a, b); }
GG_FN T gg_floor_divide(T a, T b) { return gg_division<T>::quotient(a, b); }

// The remainder by the rule of C: it has the sign of a. Integers: 0 for a divisor of 0, as in NumPy.
GG_DEVICE float32 gg_rest(float32 a, float32 b) { return gg_fmod(a, b); }
GG_DEVICE float64 gg_rest(float64 a, float64 b) { return gg_fmod(a, b); }
GG_FN T gg_rest(T a, T b) { return b == 0 || (gg_below_zero(T(-1)) && b == T(-1)) ? T(0) : static_cast<T>(a % b); }

GG_FN bool gg_signbit(T x) { return gg_copysign(T(1), x) < 0; }

GG_FN T gg_heaviside(T a, T b) { return a != a ? a : a == 0 ? b : a < 0 ? T(0) : T(1); }

// Bits of integers; a shift by the width or more gives what shifting one by one would.
GG_DEVICE bool gg_invert(bool x) { return !x; }
GG_FN T gg_invert(T x) { return static_cast<T>(~x); }

GG_FN T gg_left_shift(T a, T b) {
    const bool inside = !gg_below_zero(b) && static_cast<uint64>(b) < 8 * sizeof(T);
    return inside ? static_cast<T>(static_cast<uint64>(a) << b) : T(0);
}

GG_FN T gg_right_shift(T a, T b) {
    const bool inside = !gg_below_zero(b) && static_cast<uint64>(b) < 8 * sizeof(T);
    return static_cast<T>(inside ? a >> b : gg_below_zero(a) ? -1 : 0);
}

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

// Bits of a number, and a number from its bits.
GG_DEVICE uint32 gg_bits(float32 x) { uint32 u; GG_BUILTIN(memcpy)(&u, &x, 4); return u; }
GG_DEVICE float32 gg_float(uint32 u) { float32 x; GG_BUILTIN(memcpy)(&x, &u, 4); return x; }

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

// What a sum is kept in: float32 for 16-bit floats, float64 for the others, 64 bits for integers (modulo their width).
template <typename T> struct gg_wide { typedef uint64 type; };
template <> struct gg_wide<float16> { typedef float32 type; };
template <> struct gg_wide<bfloat16> { typedef float32 type; };
template <> struct gg_wide<float32> { typedef float64 type; };
template <> struct gg_wide<float64> { typedef float64 type; };

// A stored number as it is computed with, and back.
GG_DEVICE float32 gg_unpacked(float16 x) { return gg_load16(x); }
GG_DEVICE float32 gg_unpacked(bfloat16 x) { return gg_load16(x); }
GG_FN T gg_unpacked(T x) { return x; }
template <typename To, typename From> struct gg_packer {
    GG_MEMBER To from(From x) { return static_cast<To>(x); }
};
template <typename From> struct gg_packer<float16, From> {
    GG_MEMBER float16 from(From x) { return float16{gg_store_float16(static_cast<float32>(x))}; }
};
template <typename From> struct gg_packer<bfloat16, From> {
    GG_MEMBER bfloat16 from(From x) { return bfloat16{gg_store_bfloat16(static_cast<float32>(x))}; }
};

// A way to reduce: none() is the result of nothing, add() takes in one more element with its place, join() brings two
// partial results together, the one of lower places first, last() makes the result.
template <typename T> struct gg_sum_of {
    typedef typename gg_wide<T>::type partial;
    GG_MEMBER partial none() { return 0; }
    GG_MEMBER partial add(partial p, T x, int64) { return p + static_cast<partial>(gg_unpacked(x)); }
    GG_MEMBER partial join(partial p, partial q) { return p + q; }
    GG_MEMBER T last(partial p) { return gg_packer<T, partial>::from(p); }
};
template <> struct gg_sum_of<bool> {
    typedef uint32 partial;
    GG_MEMBER partial none() { return 0; }
    GG_MEMBER partial add(partial p, bool x, int64) { return p | x; }
    GG_MEMBER partial join(partial p, partial q) { return p | q; }
    GG_MEMBER bool last(partial p) { return p != 0; }
};

typedef gg_sum_of<float32> how;
typedef int32 index;  // in which elements are counted
struct arguments {
    float32* to; const float32* from; const int64* at; const int64* starts; const int64* order;
    int64 size, rest, lengths[1], steps[1];
};

extern "C" __global__ void __launch_bounds__(256) gg_kernel(const arguments a) {
    for (index n = static_cast<index>(blockIdx.x) * 256 + threadIdx.x; n < a.size; n += static_cast<index>(gridDim.x) * 256) {
        const index rest = a.rest, named = n / rest;
        index r = n % rest;
        int64 at = 0;
        at += r % static_cast<index>(a.lengths[0]) * a.steps[0];
        r /= static_cast<index>(a.lengths[0]);
        how::partial p = how::add(how::none(), a.to[a.at[named] + at], 0);
        for (int64 i = a.starts[named]; i < a.starts[named + 1]; ++i)
            p = how::add(p, a.from[a.order[i] * rest + n % rest], i);
        a.to[a.at[named] + at] = how::last(p);
    }
}

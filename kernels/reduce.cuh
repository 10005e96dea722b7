// Reductions: how partial results are made, brought together within a block, and turned into a result.
// The order of every addition follows from the shape alone. Nothing here is atomic.

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

// The smallest and the largest number of a type.
template <typename R> struct gg_ends {
    GG_MEMBER R low() { return static_cast<R>(-1) < static_cast<R>(0) ? static_cast<R>(uint64(1) << (8 * sizeof(R) - 1)) : static_cast<R>(0); }
    GG_MEMBER R high() { return static_cast<R>(~(static_cast<R>(-1) < static_cast<R>(0) ? uint64(1) << (8 * sizeof(R) - 1) : uint64(0))); }
};
template <> struct gg_ends<float32> {
    GG_MEMBER float32 low() { return static_cast<float32>(-GG_INF); }
    GG_MEMBER float32 high() { return static_cast<float32>(GG_INF); }
};
template <> struct gg_ends<float64> {
    GG_MEMBER float64 low() { return -GG_INF; }
    GG_MEMBER float64 high() { return GG_INF; }
};

// The largest and the smallest element, NaN before everything.
template <typename T> struct gg_max_of {
    typedef decltype(gg_unpacked(T())) partial;
    GG_MEMBER partial none() { return gg_ends<partial>::low(); }
    GG_MEMBER partial add(partial p, T x, int64) { return join(p, gg_unpacked(x)); }
    GG_MEMBER partial join(partial p, partial q) { return p != p || !(q > p || q != q) ? p : q; }
    GG_MEMBER T last(partial p) { return gg_packer<T, partial>::from(p); }
};
template <typename T> struct gg_min_of {
    typedef decltype(gg_unpacked(T())) partial;
    GG_MEMBER partial none() { return gg_ends<partial>::high(); }
    GG_MEMBER partial add(partial p, T x, int64) { return join(p, gg_unpacked(x)); }
    GG_MEMBER partial join(partial p, partial q) { return p != p || !(q < p || q != q) ? p : q; }
    GG_MEMBER T last(partial p) { return gg_packer<T, partial>::from(p); }
};

// The first place where the largest (or smallest) element is, NaN before everything.
template <typename R> struct gg_place {
    R value;
    int64 at;  // -1: no element yet
};

template <typename T, bool LARGEST> struct gg_extreme {
    typedef decltype(gg_unpacked(T())) value;
    typedef gg_place<value> partial;
    GG_MEMBER partial none() { return partial{value(), -1}; }
    GG_MEMBER partial add(partial p, T x, int64 at) { return join(p, partial{gg_unpacked(x), at}); }
    GG_MEMBER partial join(partial p, partial q) {
        if (p.at < 0 || q.at < 0) return p.at < 0 ? q : p;
        const bool first = p.value != p.value, second = q.value != q.value;  // NaN
        if (first || second) return first && (!second || p.at < q.at) ? p : q;
        if (p.value == q.value) return p.at < q.at ? p : q;
        return (p.value > q.value) == LARGEST ? p : q;
    }
};

template <typename T> struct gg_argmax_of : gg_extreme<T, true> {
    GG_MEMBER int64 last(typename gg_extreme<T, true>::partial p) { return p.at; }
};
template <typename T> struct gg_argmin_of : gg_extreme<T, false> {
    GG_MEMBER int64 last(typename gg_extreme<T, false>::partial p) { return p.at; }
};

// The partial result of the lane `by` places further on in the warp.
GG_DEVICE float32 gg_down(float32 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE float64 gg_down(float64 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE int64 gg_down(int64 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE uint64 gg_down(uint64 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE uint32 gg_down(uint32 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE int32 gg_down(int32 x, int32 by) { return __shfl_down_sync(0xffffffffu, x, by); }
GG_DEVICE bool gg_down(bool x, int32 by) { return gg_down(static_cast<uint32>(x), by) != 0; }
GG_DEVICE int8 gg_down(int8 x, int32 by) { return static_cast<int8>(gg_down(static_cast<int32>(x), by)); }
GG_DEVICE int16 gg_down(int16 x, int32 by) { return static_cast<int16>(gg_down(static_cast<int32>(x), by)); }
GG_DEVICE uint8 gg_down(uint8 x, int32 by) { return static_cast<uint8>(gg_down(static_cast<uint32>(x), by)); }
GG_DEVICE uint16 gg_down(uint16 x, int32 by) { return static_cast<uint16>(gg_down(static_cast<uint32>(x), by)); }
GG_FN gg_place<T> gg_down(gg_place<T> p, int32 by) { return gg_place<T>{gg_down(p.value, by), gg_down(p.at, by)}; }

// The partial results of the threads along x, a power of two, brought together; the first of them gets the whole.
template <typename H>
GG_DEVICE typename H::partial gg_across(typename H::partial p) {
    for (int32 by = (blockDim.x < 32 ? blockDim.x : 32) / 2; by > 0; by /= 2) p = H::join(p, gg_down(p, by));
    if (blockDim.x > 32) {
        __shared__ typename H::partial warps[32];
        if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = p;
        __syncthreads();
        if (threadIdx.x == 0)
            for (int32 w = 1; w < static_cast<int32>(blockDim.x) / 32; ++w) p = H::join(p, warps[w]);
        __syncthreads();  // before the next output uses the place
    }
    return p;
}

// What the first of `among` neighbouring lanes has, a power of two of them.
GG_DEVICE float32 gg_from_first(float32 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_DEVICE float64 gg_from_first(float64 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_DEVICE int64 gg_from_first(int64 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_DEVICE uint64 gg_from_first(uint64 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_DEVICE int32 gg_from_first(int32 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_DEVICE uint32 gg_from_first(uint32 x, int32 among) { return __shfl_sync(0xffffffffu, x, 0, among); }
GG_FN T gg_from_first(T x, int32 among) { return static_cast<T>(gg_from_first(static_cast<int32>(x), among)); }  // of shorter integers

// The result of a row, for all of the threads along x that share it: those of one warp, or of the whole block.
template <typename H>
GG_DEVICE auto gg_of_row(typename H::partial p) -> decltype(H::last(p)) {
    p = gg_across<H>(p);
    if (blockDim.x <= 32) return H::last(gg_from_first(p, blockDim.x));
    __shared__ decltype(H::last(p)) whole[1];
    if (threadIdx.x == 0) whole[0] = H::last(p);
    __syncthreads();
    const auto result = whole[0];
    __syncthreads();  // before the next result uses the place
    return result;
}

// The same for the threads along y of a block of 32 by 8, N results in each; the threads of the first row get the whole.
template <typename H, int N>
GG_DEVICE void gg_down_columns(typename H::partial* p) {
    __shared__ typename H::partial rows[8][32 * N];
    for (int32 j = 0; j < N; ++j) rows[threadIdx.y][32 * j + threadIdx.x] = p[j];
    __syncthreads();
    if (threadIdx.y == 0)
        for (int32 y = 1; y < 8; ++y)
            for (int32 j = 0; j < N; ++j) p[j] = H::join(p[j], rows[y][32 * j + threadIdx.x]);
    __syncthreads();
}

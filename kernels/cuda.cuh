// What the CUDA skeletons are made of: packs of neighbouring elements, moved 16 bytes at a time, and sums of stored dtypes.
// A kernel carries the paragraphs that it uses, after those of prelude.h.

template <typename T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) gg_pack {
    T at[N];
    GG_DEVICE_MEMBER T& operator[](int32 j) { return at[j]; }
    GG_DEVICE_MEMBER const T& operator[](int32 j) const { return at[j]; }
};

template <int N, typename T>
GG_DEVICE gg_pack<T, N> gg_load(const T* from) { return *reinterpret_cast<const gg_pack<T, N>*>(from); }

template <int N, typename T>
GG_DEVICE gg_pack<T, N> gg_splat(T x) {
    gg_pack<T, N> p;
    for (int32 j = 0; j < N; ++j) p[j] = x;
    return p;
}

template <int N, typename T>
GG_DEVICE void gg_store(T* to, const gg_pack<T, N>& x) { *reinterpret_cast<gg_pack<T, N>*>(to) = x; }

GG_DEVICE bool gg_plus(bool a, bool b) { return a | b; }
GG_DEVICE float16 gg_plus(float16 a, float16 b) { return float16{gg_store_float16(gg_load16(a) + gg_load16(b))}; }
GG_DEVICE bfloat16 gg_plus(bfloat16 a, bfloat16 b) { return bfloat16{gg_store_bfloat16(gg_load16(a) + gg_load16(b))}; }
GG_FN T gg_plus(T a, T b) { return static_cast<T>(a + b); }

template <int N, typename T>
GG_DEVICE void gg_add_to(T* to, const gg_pack<T, N>& x) {
    gg_pack<T, N> sum = gg_load<N>(to);
    for (int32 j = 0; j < N; ++j) sum[j] = gg_plus(sum[j], x[j]);
    gg_store(to, sum);
}

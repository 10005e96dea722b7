typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    float32* o0;
    float64 s0;
    float64 s1;
    int64 size;
};

template <int N>
GG_DEVICE void body(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const bool t0 = x0 > float32(s0);
        const float32 t1 = gg_sqrt(x0);
        const float32 t2 = gg_where(t0, t1, float32(s1));
        o0[j] = t2;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_greater_sqrt_where(const arguments a) {
    const index size = a.size;
    for (index at = 4 * (static_cast<index>(blockIdx.x) * 256 + threadIdx.x); at + 4 <= size; at += 4 * static_cast<index>(gridDim.x) * 256) {
        const gg_pack<float32, 4> i0 = gg_load<4>(a.i0 + at);
        gg_pack<float32, 4> o0;
        body<4>(a, i0, o0);
        gg_store(a.o0 + at, o0);
    }
    for (index at = size / 4 * 4 + static_cast<index>(blockIdx.x) * 256 + threadIdx.x; at < size; at += static_cast<index>(gridDim.x) * 256) {
        const gg_pack<float32, 1> i0 = gg_load<1>(a.i0 + at);
        gg_pack<float32, 1> o0;
        body<1>(a, i0, o0);
        gg_store(a.o0 + at, o0);
    }
}

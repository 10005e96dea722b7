typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    float32* o0;
    float64 s0;
    int64 size;
};

template <int N>
GG_DEVICE void body(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const bool t0 = x0 > float32(s0);
        const float32 x1 = i1[j];
        const float32 t1 = gg_where(t0, x1, float32(0ll));
        const float32 t2 = gg_sqrt(x0);
        const float32 t3 = float32(0.5) / t2;
        const float32 t4 = t1 * t3;
        const float32 t5 = gg_where(t0, t4, float32(0ll));
        o0[j] = t5;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_greater_where_sqrt_divide(const arguments a) {
    const index size = a.size;
    for (index at = 4 * (static_cast<index>(blockIdx.x) * 256 + threadIdx.x); at + 4 <= size; at += 4 * static_cast<index>(gridDim.x) * 256) {
        const gg_pack<float32, 4> i0 = gg_load<4>(a.i0 + at);
        const gg_pack<float32, 4> i1 = gg_load<4>(a.i1 + at);
        gg_pack<float32, 4> o0;
        body<4>(a, i0, i1, o0);
        gg_add_to(a.o0 + at, o0);
    }
    for (index at = size / 4 * 4 + static_cast<index>(blockIdx.x) * 256 + threadIdx.x; at < size; at += static_cast<index>(gridDim.x) * 256) {
        const gg_pack<float32, 1> i0 = gg_load<1>(a.i0 + at);
        const gg_pack<float32, 1> i1 = gg_load<1>(a.i1 + at);
        gg_pack<float32, 1> o0;
        body<1>(a, i0, i1, o0);
        gg_add_to(a.o0 + at, o0);
    }
}

typedef int32 index;
typedef uint32 count;
struct arguments {
    const bfloat16* i0;
    bfloat16* o0;
    float64 s0;
    int64 size;
};

template <int N>
GG_DEVICE void body(const arguments& a, const gg_pack<bfloat16, N>& i0, gg_pack<bfloat16, N>& o0) {
    const float64 s0 = a.s0;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = gg_load16(i0[j]);
        const float32 t0 = gg_bfloat16(gg_exp(x0));
        const float32 t1 = gg_bfloat16(t0 * gg_bfloat16(s0));
        o0[j] = bfloat16{gg_store_bfloat16(t1)};
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_exp_multiply(const arguments a) {
    const index size = a.size;
    for (index at = 8 * (static_cast<index>(blockIdx.x) * 256 + threadIdx.x); at + 8 <= size; at += 8 * static_cast<index>(gridDim.x) * 256) {
        const gg_pack<bfloat16, 8> i0 = gg_load<8>(a.i0 + at);
        gg_pack<bfloat16, 8> o0;
        body<8>(a, i0, o0);
        gg_store(a.o0 + at, o0);
    }
    for (index at = size / 8 * 8 + static_cast<index>(blockIdx.x) * 256 + threadIdx.x; at < size; at += static_cast<index>(gridDim.x) * 256) {
        const gg_pack<bfloat16, 1> i0 = gg_load<1>(a.i0 + at);
        gg_pack<bfloat16, 1> o0;
        body<1>(a, i0, o0);
        gg_store(a.o0 + at, o0);
    }
}

typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    float32* o0;
    float64 s0;
    int64 size;
    index shape[2];
    index steps_i0[2];
};

template <int N>
GG_DEVICE void body(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 * float32(s0);
        const float32 t1 = gg_cast<float32>(t0);
        o0[j] = t1;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_astype_float32(const arguments a) {
    const index size = a.size;
    for (index at = static_cast<index>(blockIdx.x) * 256 + threadIdx.x; at < size; at += static_cast<index>(gridDim.x) * 256) {
        const count c1 = static_cast<count>(at) % a.shape[1];
        const count c0 = static_cast<count>(at) / a.shape[1];
        const index at_i0 = static_cast<index>(c0 * a.steps_i0[0] + c1 * a.steps_i0[1]);
        const gg_pack<float32, 1> i0 = gg_load<1>(a.i0 + at_i0);
        gg_pack<float32, 1> o0;
        body<1>(a, i0, o0);
        gg_store(a.o0 + at, o0);
    }
}

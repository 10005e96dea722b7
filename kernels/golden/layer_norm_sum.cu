typedef gg_sum_of<float32> how0;
typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    float32* o0;
    int64 kept;
    int64 reduced;
    int64 chunk;
    int64 splits;
    index kept_shape[1];
    index reduced_shape[1];
    index kept_i0[1];
    index reduced_i0[1];
};

template <int N>
GG_DEVICE void body(const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        o0[j] = x0;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_copy_sum(const arguments a) {
    const index tile = blockIdx.x / static_cast<count>(a.splits), split = blockIdx.x % static_cast<count>(a.splits);
    const index begin = split * static_cast<index>(a.chunk);
    const index end = begin + a.chunk < a.reduced ? begin + a.chunk : a.reduced;
    const index m = 4 * (32 * tile + static_cast<index>(threadIdx.x));
    how0::partial p0[4];
    for (int32 j = 0; j < 4; ++j) { p0[j] = how0::none(); }
    if (m < a.kept) {
        const count k0 = static_cast<count>(m);
        const index base_i0 = static_cast<index>(k0);
        for (index r = begin + static_cast<index>(threadIdx.y); r < end; r += 8) {
            const count r0 = static_cast<count>(r);
            const gg_pack<float32, 4> i0 = gg_load<4>(a.i0 + base_i0 + static_cast<index>(r0 * a.reduced_i0[0]));
            gg_pack<float32, 4> o0;
            body<4>(i0, o0);
            for (int32 j = 0; j < 4; ++j) p0[j] = how0::add(p0[j], o0[j], r);
        }
    }
    gg_down_columns<how0, 4>(p0);
    if (threadIdx.y == 0 && m < a.kept)
        for (int32 j = 0; j < 4; ++j) {
            a.o0[m + j] = how0::last(p0[j]);
        }
}

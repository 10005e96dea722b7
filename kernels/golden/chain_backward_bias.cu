typedef gg_sum_of<float32> how0;
typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    const float32* i3;
    float32* o0;
    int64 kept;
    int64 reduced;
    int64 chunk;
    int64 splits;
    index kept_shape[1];
    index reduced_shape[1];
    index kept_i1[1];
    index reduced_i1[1];
    index kept_i2[1];
    index reduced_i2[1];
    index kept_i3[1];
    index reduced_i3[1];
};

template <int N>
GG_DEVICE void body(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x1 = i1[j];
        const float32 x2 = i2[j];
        const float32 t0 = x1 * x2;
        const float32 x3 = i3[j];
        const float32 t1 = t0 + x3;
        const float32 t2 = gg_tanh(t1);
        const float32 t3 = -x1;
        const float32 t4 = gg_exp(t3);
        const float32 t5 = float32(1ll) + t4;
        const float32 t6 = gg_reciprocal(t5);
        const float32 t7 = t2 * t6;
        const float32 t8 = float32(2ll) * t7;
        const float32 x0 = i0[j];
        const float32 t9 = x0 * t8;
        const float32 t10 = t9 * t6;
        const float32 t11 = t2 * t2;
        const float32 t12 = float32(1ll) - t11;
        const float32 t13 = t10 * t12;
        o0[j] = t13;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative_sum(const arguments a) {
    const index tile = blockIdx.x / static_cast<count>(a.splits), split = blockIdx.x % static_cast<count>(a.splits);
    const index begin = split * static_cast<index>(a.chunk);
    const index end = begin + a.chunk < a.reduced ? begin + a.chunk : a.reduced;
    const index m = 4 * (32 * tile + static_cast<index>(threadIdx.x));
    how0::partial p0[4];
    for (int32 j = 0; j < 4; ++j) { p0[j] = how0::none(); }
    const float32 one_i0 = *a.i0;
    if (m < a.kept) {
        const count k0 = static_cast<count>(m);
        const index base_i1 = static_cast<index>(k0);
        const index base_i2 = static_cast<index>(k0);
        const index base_i3 = static_cast<index>(k0);
        for (index r = begin + static_cast<index>(threadIdx.y); r < end; r += 8) {
            const count r0 = static_cast<count>(r);
            const gg_pack<float32, 4> i0 = gg_splat<4>(one_i0);
            const gg_pack<float32, 4> i1 = gg_load<4>(a.i1 + base_i1 + static_cast<index>(r0 * a.reduced_i1[0]));
            const gg_pack<float32, 4> i2 = gg_load<4>(a.i2 + base_i2 + static_cast<index>(r0 * a.reduced_i2[0]));
            const gg_pack<float32, 4> i3 = gg_load<4>(a.i3 + base_i3 + static_cast<index>(r0 * a.reduced_i3[0]));
            gg_pack<float32, 4> o0;
            body<4>(i0, i1, i2, i3, o0);
            for (int32 j = 0; j < 4; ++j) p0[j] = how0::add(p0[j], o0[j], r);
        }
    }
    gg_down_columns<how0, 4>(p0);
    if (threadIdx.y == 0 && m < a.kept)
        for (int32 j = 0; j < 4; ++j) {
            a.o0[m + j] = how0::last(p0[j]);
        }
}

typedef gg_sum_of<float32> how0;
typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    float32* o0;
    how0::partial* p0;
    int64 kept;
    int64 reduced;
    int64 chunk;
    int64 splits;
    index kept_shape[1];
    index reduced_shape[2];
    index kept_i0[1];
    index reduced_i0[2];
    index kept_i1[1];
    index reduced_i1[2];
    index kept_i2[1];
    index reduced_i2[2];
};

template <int N>
GG_DEVICE void body(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 * x1;
        const float32 x2 = i2[j];
        const float32 t1 = t0 + x2;
        const float32 t2 = gg_tanh(t1);
        const float32 t3 = -x0;
        const float32 t4 = gg_exp(t3);
        const float32 t5 = float32(1ll) + t4;
        const float32 t6 = gg_reciprocal(t5);
        const float32 t7 = t2 * t6;
        const float32 t8 = t7 * t7;
        o0[j] = t8;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative_sum(const arguments a) {
    const index tile = blockIdx.x / static_cast<count>(a.splits), split = blockIdx.x % static_cast<count>(a.splits);
    const index begin = split * static_cast<index>(a.chunk);
    const index end = begin + a.chunk < a.reduced ? begin + a.chunk : a.reduced;
    const index m = tile * static_cast<index>(blockDim.y) + threadIdx.y;
    how0::partial p0 = how0::none();
    if (m < a.kept) {
        const count k0 = static_cast<count>(m);
        const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
        const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
        const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
        for (index r = begin + 4 * static_cast<index>(threadIdx.x); r < end; r += 4 * static_cast<index>(blockDim.x)) {
            if (r + 4 <= end) {
                const count r1 = static_cast<count>(r) % a.reduced_shape[1];
                const count r0 = static_cast<count>(r) / a.reduced_shape[1];
                const gg_pack<float32, 4> i0 = gg_load<4>(a.i0 + base_i0 + static_cast<index>(r0 * a.reduced_i0[0] + r1));
                const gg_pack<float32, 4> i1 = gg_load<4>(a.i1 + base_i1 + static_cast<index>(r0 * a.reduced_i1[0] + r1));
                const gg_pack<float32, 4> i2 = gg_load<4>(a.i2 + base_i2 + static_cast<index>(r0 * a.reduced_i2[0] + r1));
                gg_pack<float32, 4> o0;
                body<4>(i0, i1, i2, o0);
                for (int32 j = 0; j < 4; ++j) p0 = how0::add(p0, o0[j], r + j);
            } else {
                for (index n = r; n < r + 4 && n < end; ++n) {
                    const count r1 = static_cast<count>(n) % a.reduced_shape[1];
                    const count r0 = static_cast<count>(n) / a.reduced_shape[1];
                    const gg_pack<float32, 1> i0 = gg_load<1>(a.i0 + base_i0 + static_cast<index>(r0 * a.reduced_i0[0] + r1 * a.reduced_i0[1]));
                    const gg_pack<float32, 1> i1 = gg_load<1>(a.i1 + base_i1 + static_cast<index>(r0 * a.reduced_i1[0] + r1 * a.reduced_i1[1]));
                    const gg_pack<float32, 1> i2 = gg_load<1>(a.i2 + base_i2 + static_cast<index>(r0 * a.reduced_i2[0] + r1 * a.reduced_i2[1]));
                    gg_pack<float32, 1> o0;
                    body<1>(i0, i1, i2, o0);
                    p0 = how0::add(p0, o0[0], n);
                }
            }
        }
    }
    p0 = gg_across<how0>(p0);
    if (threadIdx.x == 0 && m < a.kept) {
        a.p0[(m) * a.splits + split] = p0;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative_sum_finish(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y;
    how0::partial p0 = how0::none();
    if (m < a.kept)
        for (index s = threadIdx.x; s < a.splits; s += static_cast<index>(blockDim.x)) {
            p0 = how0::join(p0, a.p0[m * a.splits + s]);
        }
    p0 = gg_across<how0>(p0);
    if (threadIdx.x == 0 && m < a.kept) {
        a.o0[m] = how0::last(p0);
    }
}

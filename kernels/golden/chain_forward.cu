typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    float32* o0;
    int64 kept;
    int64 length;
    index kept_shape[1];
    index reduced_shape[2];
    index kept_i0[1];
    index reduced_i0[2];
    index kept_i1[1];
    index reduced_i1[2];
    index kept_i2[1];
    index reduced_i2[2];
    index kept_o0[1];
};

template <int N>
GG_DEVICE void body0(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, gg_pack<float32, N>& o0) {
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

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 4> x0[6];
    gg_pack<float32, 4> x1[6];
    gg_pack<float32, 4> x2[6];
    gg_pack<float32, 1> v3;
    gg_pack<float32, 4> v4[6];
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 6; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 1024 * k;
            if (r < length) {
                x0[k] = gg_pack<float32, 4>{};
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    const count r1 = static_cast<count>((r + j)) % a.reduced_shape[1];
                    const count r0 = static_cast<count>((r + j)) / a.reduced_shape[1];
                    const index at = base_i0 + static_cast<index>(r0 * a.reduced_i0[0] + r1 * a.reduced_i0[1]);
                    x0[k][j] = a.i0[at];
                }
                x1[k] = gg_pack<float32, 4>{};
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    const count r1 = static_cast<count>((r + j)) % a.reduced_shape[1];
                    const count r0 = static_cast<count>((r + j)) / a.reduced_shape[1];
                    const index at = base_i1 + static_cast<index>(r0 * a.reduced_i1[0] + r1 * a.reduced_i1[1]);
                    x1[k][j] = a.i1[at];
                }
                x2[k] = gg_pack<float32, 4>{};
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    const count r1 = static_cast<count>((r + j)) % a.reduced_shape[1];
                    const count r0 = static_cast<count>((r + j)) / a.reduced_shape[1];
                    const index at = base_i2 + static_cast<index>(r0 * a.reduced_i2[0] + r1 * a.reduced_i2[1]);
                    x2[k][j] = a.i2[at];
                }
            }
        }
    }
    typedef gg_sum_of<float32> how1;
    how1::partial p1 = how1::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 6; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 1024 * k;
            if (r < length) {
                body0<4>(x0[k], x1[k], x2[k], v4[k]);
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    p1 = how1::add(p1, v4[k][j], r + j);
                }
            }
        }
    }
    v3[0] = gg_of_row<how1>(p1);
    if (here && threadIdx.x == 0) gg_store(a.o0 + base_o0, v3);
}

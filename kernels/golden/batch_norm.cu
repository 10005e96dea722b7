typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    float32* o0;
    float64 s0;
    float64 s1;
    float64 s2;
    int64 kept;
    int64 length;
    index kept_shape[1];
    index reduced_shape[2];
    index kept_i0[1];
    index reduced_i0[2];
    index kept_i1[1];
    index reduced_i1[2];
    index kept_o0[1];
    index reduced_o0[2];
};

template <int N>
GG_DEVICE void body2(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 / float32(s0);
        const float32 x1 = i1[j];
        const float32 t1 = x1 / float32(s1);
        o0[j] = t0;
        o1[j] = t1;
    }
}

template <int N>
GG_DEVICE void body3(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 - x1;
        const float32 t1 = t0 * t0;
        o0[j] = t1;
    }
}

template <int N>
GG_DEVICE void body5(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 / float32(s2);
        const float32 t1 = gg_sqrt(t0);
        o0[j] = t1;
    }
}

template <int N>
GG_DEVICE void body6(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 - x1;
        const float32 t1 = gg_cast<float32>(t0);
        const float32 x2 = i2[j];
        const float32 t2 = t1 / x2;
        o0[j] = t2;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_sum_divide_subtract_astype_float32_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 4> x0[1];
    gg_pack<float32, 4> x1[1];
    gg_pack<float32, 4> v2[1];
    gg_pack<float32, 1> v3;
    gg_pack<float32, 1> v4;
    gg_pack<float32, 1> v5;
    gg_pack<float32, 1> v6;
    gg_pack<float32, 4> v7[1];
    gg_pack<float32, 1> v8;
    gg_pack<float32, 1> v9;
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
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
            }
        }
    }
    typedef gg_sum_of<float32> how0;
    how0::partial p0 = how0::none();
    typedef gg_sum_of<float32> how1;
    how1::partial p1 = how1::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    p0 = how0::add(p0, x0[k][j], r + j);
                }
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    p1 = how1::add(p1, x1[k][j], r + j);
                }
            }
        }
    }
    v3[0] = gg_of_row<how0>(p0);
    v4[0] = gg_of_row<how1>(p1);
    if (here) {
        body2<1>(a, gg_splat<1>(v3[0]), gg_splat<1>(v4[0]), v5, v6);
    }
    typedef gg_sum_of<float32> how4;
    how4::partial p4 = how4::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body3<4>(a, x1[k], gg_splat<4>(v6[0]), v7[k]);
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    p4 = how4::add(p4, v7[k][j], r + j);
                }
            }
        }
    }
    v8[0] = gg_of_row<how4>(p4);
    if (here) {
        body5<1>(a, gg_splat<1>(v8[0]), v9);
    }
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body6<4>(a, x0[k], gg_splat<4>(v5[0]), gg_splat<4>(v9[0]), v2[k]);
                #pragma unroll
                for (int32 j = 0; j < 4 && r + j < length; ++j) {
                    const count r1 = static_cast<count>((r + j)) % a.reduced_shape[1];
                    const count r0 = static_cast<count>((r + j)) / a.reduced_shape[1];
                    const index at = base_o0 + static_cast<index>(r0 * a.reduced_o0[0] + r1 * a.reduced_o0[1]);
                    a.o0[at] = v2[k][j];
                }
            }
        }
    }
}

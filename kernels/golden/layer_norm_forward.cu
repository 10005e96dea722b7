typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    float32* o0;
    float64 s0;
    float64 s1;
    float64 s2;
    int64 kept;
    int64 length;
    index kept_shape[1];
    index reduced_shape[1];
    index kept_i0[1];
    index reduced_i0[1];
    index kept_i1[1];
    index reduced_i1[1];
    index kept_i2[1];
    index reduced_i2[1];
    index kept_o0[1];
    index reduced_o0[1];
};

template <int N>
GG_DEVICE void body1(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 / float32(s0);
        o0[j] = t0;
    }
}

template <int N>
GG_DEVICE void body2(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 - x1;
        const float32 t1 = t0 * t0;
        o0[j] = t0;
        o1[j] = t1;
    }
}

template <int N>
GG_DEVICE void body4(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 / float32(s1);
        const float32 t1 = t0 + float32(s2);
        const float32 t2 = gg_sqrt(t1);
        o0[j] = t2;
    }
}

template <int N>
GG_DEVICE void body5(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x2 = i2[j];
        const float32 x3 = i3[j];
        const float32 t0 = x2 / x3;
        const float32 x0 = i0[j];
        const float32 t1 = t0 * x0;
        const float32 x1 = i1[j];
        const float32 t2 = t1 + x1;
        o0[j] = t2;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_sum_divide_subtract_multiply_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 4> x0[1];
    gg_pack<float32, 4> v3[1];
    gg_pack<float32, 1> v4;
    gg_pack<float32, 1> v5;
    gg_pack<float32, 4> v6[1];
    gg_pack<float32, 4> v7[1];
    gg_pack<float32, 1> v8;
    gg_pack<float32, 1> v9;
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                x0[k] = gg_load<4>(a.i0 + base_i0 + r);
            }
        }
    }
    typedef gg_sum_of<float32> how0;
    how0::partial p0 = how0::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p0 = how0::add(p0, x0[k][j], r + j);
                }
            }
        }
    }
    v4[0] = gg_of_row<how0>(p0);
    if (here) {
        body1<1>(a, gg_splat<1>(v4[0]), v5);
    }
    typedef gg_sum_of<float32> how3;
    how3::partial p3 = how3::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body2<4>(a, x0[k], gg_splat<4>(v5[0]), v6[k], v7[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p3 = how3::add(p3, v7[k][j], r + j);
                }
            }
        }
    }
    v8[0] = gg_of_row<how3>(p3);
    if (here) {
        body4<1>(a, gg_splat<1>(v8[0]), v9);
    }
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                gg_pack<float32, 4> x1;
                x1 = gg_load<4>(a.i1 + base_i1 + r);
                gg_pack<float32, 4> x2;
                x2 = gg_load<4>(a.i2 + base_i2 + r);
                body5<4>(a, x1, x2, v6[k], gg_splat<4>(v9[0]), v3[k]);
                gg_store(a.o0 + base_o0 + r, v3[k]);
            }
        }
    }
}

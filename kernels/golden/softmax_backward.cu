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
GG_DEVICE void body1(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 == x1 ? gg_type(x0, 0) : x0 - x1;
        const float32 t1 = gg_exp(t0);
        o0[j] = t1;
    }
}

template <int N>
GG_DEVICE void body3(const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = gg_reciprocal(x0);
        o0[j] = t0;
    }
}

template <int N>
GG_DEVICE void body4(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x1 = i1[j];
        const float32 x2 = i2[j];
        const float32 t0 = x1 * x2;
        const float32 x0 = i0[j];
        const float32 t1 = t0 * x0;
        const float32 t2 = -t1;
        o0[j] = t2;
    }
}

template <int N>
GG_DEVICE void body6(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x2 = i2[j];
        const float32 t0 = x0 * x2;
        const float32 x3 = i3[j];
        const float32 t1 = t0 + x3;
        const float32 x1 = i1[j];
        const float32 t2 = t1 * x1;
        o0[j] = t2;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_max_difference_exp_sum_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 4> x0[1];
    gg_pack<float32, 4> x1[1];
    gg_pack<float32, 4> x2[1];
    gg_pack<float32, 4> v3[1];
    gg_pack<float32, 1> v4;
    gg_pack<float32, 4> v5[1];
    gg_pack<float32, 1> v6;
    gg_pack<float32, 1> v7;
    gg_pack<float32, 4> v8[1];
    gg_pack<float32, 1> v9;
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                x0[k] = gg_load<4>(a.i0 + base_i0 + r);
                x1[k] = gg_load<4>(a.i1 + base_i1 + r);
                x2[k] = gg_load<4>(a.i2 + base_i2 + r);
            }
        }
    }
    typedef gg_max_of<float32> how0;
    how0::partial p0 = how0::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p0 = how0::add(p0, x1[k][j], r + j);
                }
            }
        }
    }
    v4[0] = gg_of_row<how0>(p0);
    typedef gg_sum_of<float32> how2;
    how2::partial p2 = how2::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body1<4>(x1[k], gg_splat<4>(v4[0]), v5[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p2 = how2::add(p2, v5[k][j], r + j);
                }
            }
        }
    }
    v6[0] = gg_of_row<how2>(p2);
    if (here) {
        body3<1>(gg_splat<1>(v6[0]), v7);
    }
    typedef gg_sum_of<float32> how5;
    how5::partial p5 = how5::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body4<4>(x0[k], x2[k], gg_splat<4>(v7[0]), v8[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p5 = how5::add(p5, v8[k][j], r + j);
                }
            }
        }
    }
    v9[0] = gg_of_row<how5>(p5);
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body6<4>(x0[k], v5[k], gg_splat<4>(v7[0]), gg_splat<4>(v9[0]), v3[k]);
                gg_add_to(a.o0 + base_o0 + r, v3[k]);
            }
        }
    }
}

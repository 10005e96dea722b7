typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    float32* o0;
    float32* o1;
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
    index kept_o1[1];
    index reduced_o1[1];
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
GG_DEVICE void body4(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1, gg_pack<float32, N>& o2) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 / float32(s1);
        const float32 t1 = t0 + float32(s2);
        const float32 t2 = gg_sqrt(t1);
        const float32 t3 = gg_reciprocal(t2);
        const float32 t4 = float32(0.5) / t2;
        o0[j] = t2;
        o1[j] = t3;
        o2[j] = t4;
    }
}

template <int N>
GG_DEVICE void body5(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1, gg_pack<float32, N>& o2) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 * x1;
        const float32 x2 = i2[j];
        const float32 x3 = i3[j];
        const float32 t1 = x2 / x3;
        const float32 x4 = i4[j];
        const float32 t2 = t1 * x4;
        const float32 t3 = t2 * t0;
        const float32 t4 = -t3;
        const float32 t5 = x0 * t1;
        o0[j] = t0;
        o1[j] = t4;
        o2[j] = t5;
    }
}

template <int N>
GG_DEVICE void body7(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    const float64 t1 = gg_reciprocal(s1);
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x1 = i1[j];
        const float32 x0 = i0[j];
        const float32 t0 = x1 * x0;
        const float32 t2 = t0 * float32(t1);
        o0[j] = t2;
    }
}

template <int N>
GG_DEVICE void body8(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x2 = i2[j];
        const float32 x1 = i1[j];
        const float32 t0 = x2 * x1;
        const float32 x3 = i3[j];
        const float32 x0 = i0[j];
        const float32 t1 = x3 * x0;
        const float32 t2 = t0 + t1;
        const float32 t3 = t2 + t1;
        const float32 t4 = -t3;
        o0[j] = t3;
        o1[j] = t4;
    }
}

template <int N>
GG_DEVICE void body10(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    const float64 t0 = gg_reciprocal(s0);
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t1 = x0 * float32(t0);
        o0[j] = t1;
    }
}

template <int N>
GG_DEVICE void body11(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x1 = i1[j];
        const float32 t0 = x0 + x1;
        o0[j] = t0;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_sum_divide_subtract_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    const index base_o1 = static_cast<index>(k0 * a.kept_o1[0]);
    gg_pack<float32, 4> x0[1];
    gg_pack<float32, 4> x2[1];
    gg_pack<float32, 4> v3[1];
    gg_pack<float32, 4> v4[1];
    gg_pack<float32, 1> v5;
    gg_pack<float32, 1> v6;
    gg_pack<float32, 4> v7[1];
    gg_pack<float32, 4> v8[1];
    gg_pack<float32, 1> v9;
    gg_pack<float32, 1> v10;
    gg_pack<float32, 1> v11;
    gg_pack<float32, 1> v12;
    gg_pack<float32, 4> v13[1];
    gg_pack<float32, 4> v14[1];
    gg_pack<float32, 1> v15;
    gg_pack<float32, 1> v16;
    gg_pack<float32, 4> v17[1];
    gg_pack<float32, 4> v18[1];
    gg_pack<float32, 1> v19;
    gg_pack<float32, 1> v20;
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                x0[k] = gg_load<4>(a.i0 + base_i0 + r);
                x2[k] = gg_load<4>(a.i2 + base_i2 + r);
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
                    p0 = how0::add(p0, x2[k][j], r + j);
                }
            }
        }
    }
    v5[0] = gg_of_row<how0>(p0);
    if (here) {
        body1<1>(a, gg_splat<1>(v5[0]), v6);
    }
    typedef gg_sum_of<float32> how3;
    how3::partial p3 = how3::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body2<4>(a, x2[k], gg_splat<4>(v6[0]), v7[k], v8[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p3 = how3::add(p3, v8[k][j], r + j);
                }
            }
        }
    }
    v9[0] = gg_of_row<how3>(p3);
    if (here) {
        body4<1>(a, gg_splat<1>(v9[0]), v10, v11, v12);
    }
    typedef gg_sum_of<float32> how6;
    how6::partial p6 = how6::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                gg_pack<float32, 4> x1;
                x1 = gg_load<4>(a.i1 + base_i1 + r);
                body5<4>(a, x0[k], x1, v7[k], gg_splat<4>(v10[0]), gg_splat<4>(v11[0]), v13[k], v14[k], v4[k]);
                gg_store(a.o1 + base_o1 + r, v4[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p6 = how6::add(p6, v14[k][j], r + j);
                }
            }
        }
    }
    v15[0] = gg_of_row<how6>(p6);
    if (here) {
        body7<1>(a, gg_splat<1>(v12[0]), gg_splat<1>(v15[0]), v16);
    }
    typedef gg_sum_of<float32> how9;
    how9::partial p9 = how9::none();
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body8<4>(a, v7[k], gg_splat<4>(v11[0]), v13[k], gg_splat<4>(v16[0]), v17[k], v18[k]);
                #pragma unroll
                for (int32 j = 0; j < 4; ++j) {
                    p9 = how9::add(p9, v18[k][j], r + j);
                }
            }
        }
    }
    v19[0] = gg_of_row<how9>(p9);
    if (here) {
        body10<1>(a, gg_splat<1>(v19[0]), v20);
    }
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                body11<4>(a, v17[k], gg_splat<4>(v20[0]), v3[k]);
                gg_add_to(a.o0 + base_o0 + r, v3[k]);
            }
        }
    }
}

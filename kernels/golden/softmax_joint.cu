typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    float32* o0;
    float32* o1;
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
GG_DEVICE void body0(const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        o0[j] = x0;
    }
}

template <int N>
GG_DEVICE void body2(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
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
GG_DEVICE void body4(const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = gg_reciprocal(x0);
        o0[j] = t0;
    }
}

template <int N>
GG_DEVICE void body5(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x2 = i2[j];
        const float32 t0 = x0 == x2 ? gg_type(x0, 0) : x0 - x2;
        const float32 t1 = gg_exp(t0);
        const float32 x3 = i3[j];
        const float32 t2 = t1 / x3;
        const float32 x4 = i4[j];
        const float32 t3 = t2 * x4;
        const float32 x1 = i1[j];
        const float32 t4 = t3 * x1;
        const float32 t5 = -t4;
        o0[j] = t5;
    }
}

template <int N>
GG_DEVICE void body7(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, const gg_pack<float32, N>& i5, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x2 = i2[j];
        const float32 t0 = x0 == x2 ? gg_type(x0, 0) : x0 - x2;
        const float32 t1 = gg_exp(t0);
        const float32 x3 = i3[j];
        const float32 t2 = t1 / x3;
        const float32 x1 = i1[j];
        const float32 x4 = i4[j];
        const float32 t3 = x1 * x4;
        const float32 x5 = i5[j];
        const float32 t4 = t3 + x5;
        const float32 t5 = t4 * t1;
        o0[j] = t2;
        o1[j] = t5;
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
    const index base_o1 = static_cast<index>(k0 * a.kept_o1[0]);
    gg_pack<float32, 1> v6;
    gg_pack<float32, 1> v8;
    gg_pack<float32, 1> v9;
    gg_pack<float32, 1> v11;
    typedef gg_max_of<float32> how0_0;
    how0_0::partial p_how0_0 = how0_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0]);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            gg_pack<float32, 1> v5;
            body0<1>(x1, v5);
            p_how0_0 = how0_0::add(p_how0_0, v5[0], r);
        }
    }
    v6[0] = gg_of_row<how0_0>(p_how0_0);
    typedef gg_sum_of<float32> how2_0;
    how2_0::partial p_how2_0 = how2_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            gg_pack<float32, 1> v7;
            body2<1>(x0, v6, v7);
            p_how2_0 = how2_0::add(p_how2_0, v7[0], r);
        }
    }
    v8[0] = gg_of_row<how2_0>(p_how2_0);
    if (here) {
        body4<1>(v8, v9);
    }
    typedef gg_sum_of<float32> how5_0;
    how5_0::partial p_how5_0 = how5_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v10;
            body5<1>(x0, x2, v6, v8, v9, v10);
            p_how5_0 = how5_0::add(p_how5_0, v10[0], r);
        }
    }
    v11[0] = gg_of_row<how5_0>(p_how5_0);
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const index at_o0 = base_o0 + static_cast<index>(r0 * a.reduced_o0[0]);
            const index at_o1 = base_o1 + static_cast<index>(r0 * a.reduced_o1[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v3;
            gg_pack<float32, 1> v4;
            body7<1>(x0, x2, v6, v8, v9, v11, v3, v4);
            gg_store(a.o0 + at_o0, v3);
            gg_add_to(a.o1 + at_o1, v4);
        }
    }
}

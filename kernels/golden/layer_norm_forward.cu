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
GG_DEVICE void body0(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        o0[j] = x0;
    }
}

template <int N>
GG_DEVICE void body2(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
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
        const float32 t0 = x0 / float32(s1);
        const float32 t1 = t0 + float32(s2);
        const float32 t2 = gg_sqrt(t1);
        o0[j] = t2;
    }
}

template <int N>
GG_DEVICE void body6(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, gg_pack<float32, N>& o0) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 x3 = i3[j];
        const float32 t0 = x0 - x3;
        const float32 x4 = i4[j];
        const float32 t1 = t0 / x4;
        const float32 x1 = i1[j];
        const float32 t2 = t1 * x1;
        const float32 x2 = i2[j];
        const float32 t3 = t2 + x2;
        o0[j] = t3;
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
    gg_pack<float32, 1> v5;
    gg_pack<float32, 1> v6;
    gg_pack<float32, 1> v8;
    gg_pack<float32, 1> v9;
    typedef gg_sum_of<float32> how0_0;
    how0_0::partial p_how0_0 = how0_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            gg_pack<float32, 1> v4;
            body0<1>(a, x0, v4);
            p_how0_0 = how0_0::add(p_how0_0, v4[0], r);
        }
    }
    v5[0] = gg_of_row<how0_0>(p_how0_0);
    if (here) {
        body2<1>(a, v5, v6);
    }
    typedef gg_sum_of<float32> how3_0;
    how3_0::partial p_how3_0 = how3_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            gg_pack<float32, 1> v7;
            body3<1>(a, x0, v6, v7);
            p_how3_0 = how3_0::add(p_how3_0, v7[0], r);
        }
    }
    v8[0] = gg_of_row<how3_0>(p_how3_0);
    if (here) {
        body5<1>(a, v8, v9);
    }
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const index at_o0 = base_o0 + static_cast<index>(r0 * a.reduced_o0[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v3;
            body6<1>(a, x0, x1, x2, v6, v9, v3);
            gg_store(a.o0 + at_o0, v3);
        }
    }
}

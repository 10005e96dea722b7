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
GG_DEVICE void body5(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1, gg_pack<float32, N>& o2) {
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
GG_DEVICE void body6(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, const gg_pack<float32, N>& i5, gg_pack<float32, N>& o0) {
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
        const float32 t1 = x2 - x3;
        const float32 x4 = i4[j];
        const float32 t2 = t1 / x4;
        const float32 x5 = i5[j];
        const float32 t3 = t2 * x5;
        const float32 t4 = t3 * t0;
        const float32 t5 = -t4;
        o0[j] = t5;
    }
}

template <int N>
GG_DEVICE void body8(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, gg_pack<float32, N>& o0) {
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
GG_DEVICE void body9(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, const gg_pack<float32, N>& i5, gg_pack<float32, N>& o0) {
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
        const float32 t1 = x2 - x3;
        const float32 x4 = i4[j];
        const float32 t2 = t0 * x4;
        const float32 x5 = i5[j];
        const float32 t3 = x5 * t1;
        const float32 t4 = t2 + t3;
        const float32 t5 = t4 + t3;
        const float32 t6 = -t5;
        o0[j] = t6;
    }
}

template <int N>
GG_DEVICE void body11(const arguments& a, const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
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
GG_DEVICE void body12(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, const gg_pack<float32, N>& i4, const gg_pack<float32, N>& i5, const gg_pack<float32, N>& i6, const gg_pack<float32, N>& i7, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
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
        const float32 t1 = x2 - x3;
        const float32 x5 = i5[j];
        const float32 t2 = t0 * x5;
        const float32 x4 = i4[j];
        const float32 t3 = t1 / x4;
        const float32 x6 = i6[j];
        const float32 t4 = x6 * t1;
        const float32 t5 = t2 + t4;
        const float32 t6 = t5 + t4;
        const float32 x7 = i7[j];
        const float32 t7 = t6 + x7;
        const float32 t8 = x0 * t3;
        o0[j] = t7;
        o1[j] = t8;
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
    gg_pack<float32, 1> v6;
    gg_pack<float32, 1> v7;
    gg_pack<float32, 1> v9;
    gg_pack<float32, 1> v10;
    gg_pack<float32, 1> v11;
    gg_pack<float32, 1> v12;
    gg_pack<float32, 1> v14;
    gg_pack<float32, 1> v15;
    gg_pack<float32, 1> v17;
    gg_pack<float32, 1> v18;
    typedef gg_sum_of<float32> how0_0;
    how0_0::partial p_how0_0 = how0_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v5;
            body0<1>(a, x2, v5);
            p_how0_0 = how0_0::add(p_how0_0, v5[0], r);
        }
    }
    v6[0] = gg_of_row<how0_0>(p_how0_0);
    if (here) {
        body2<1>(a, v6, v7);
    }
    typedef gg_sum_of<float32> how3_0;
    how3_0::partial p_how3_0 = how3_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v8;
            body3<1>(a, x2, v7, v8);
            p_how3_0 = how3_0::add(p_how3_0, v8[0], r);
        }
    }
    v9[0] = gg_of_row<how3_0>(p_how3_0);
    if (here) {
        body5<1>(a, v9, v10, v11, v12);
    }
    typedef gg_sum_of<float32> how6_0;
    how6_0::partial p_how6_0 = how6_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v13;
            body6<1>(a, x0, x1, x2, v7, v10, v11, v13);
            p_how6_0 = how6_0::add(p_how6_0, v13[0], r);
        }
    }
    v14[0] = gg_of_row<how6_0>(p_how6_0);
    if (here) {
        body8<1>(a, v12, v14, v15);
    }
    typedef gg_sum_of<float32> how9_0;
    how9_0::partial p_how9_0 = how9_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v16;
            body9<1>(a, x0, x1, x2, v7, v11, v15, v16);
            p_how9_0 = how9_0::add(p_how9_0, v16[0], r);
        }
    }
    v17[0] = gg_of_row<how9_0>(p_how9_0);
    if (here) {
        body11<1>(a, v17, v18);
    }
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0]);
            const index at_o0 = base_o0 + static_cast<index>(r0 * a.reduced_o0[0]);
            const index at_o1 = base_o1 + static_cast<index>(r0 * a.reduced_o1[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v3;
            gg_pack<float32, 1> v4;
            body12<1>(a, x0, x1, x2, v7, v10, v11, v15, v18, v3, v4);
            gg_add_to(a.o0 + at_o0, v3);
            gg_store(a.o1 + at_o1, v4);
        }
    }
}

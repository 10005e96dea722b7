typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    const float32* i3;
    float32* o0;
    float32* o1;
    float32* o2;
    float32* o3;
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
    index kept_i3[1];
    index kept_o0[1];
    index kept_o1[1];
    index reduced_o1[2];
    index kept_o2[1];
    index reduced_o2[2];
    index kept_o3[1];
    index reduced_o3[2];
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

template <int N>
GG_DEVICE void body2(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1, gg_pack<float32, N>& o2) {
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
        const float32 t8 = float32(2ll) * t7;
        const float32 x3 = i3[j];
        const float32 t9 = x3 * t8;
        const float32 t10 = t9 * t2;
        const float32 t11 = float32(1ll) - t6;
        const float32 t12 = t6 * t11;
        const float32 t13 = t10 * t12;
        const float32 t14 = t9 * t6;
        const float32 t15 = t2 * t2;
        const float32 t16 = float32(1ll) - t15;
        const float32 t17 = t14 * t16;
        const float32 t18 = t17 * x1;
        const float32 t19 = t13 + t18;
        const float32 t20 = t17 * x0;
        o0[j] = t19;
        o1[j] = t20;
        o2[j] = t17;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_i1 = static_cast<index>(k0 * a.kept_i1[0]);
    const index base_i2 = static_cast<index>(k0 * a.kept_i2[0]);
    const index base_i3 = static_cast<index>(k0 * a.kept_i3[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    const index base_o1 = static_cast<index>(k0 * a.kept_o1[0]);
    const index base_o2 = static_cast<index>(k0 * a.kept_o2[0]);
    const index base_o3 = static_cast<index>(k0 * a.kept_o3[0]);
    const gg_pack<float32, 1> i3 = gg_load<1>(a.i3 + base_i3);
    gg_pack<float32, 1> v4;
    typedef gg_sum_of<float32> how0_0;
    how0_0::partial p_how0_0 = how0_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r1 = static_cast<count>(r) % a.reduced_shape[1];
            const count r0 = static_cast<count>(r) / a.reduced_shape[1];
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0] + r1 * a.reduced_i0[1]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0] + r1 * a.reduced_i1[1]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0] + r1 * a.reduced_i2[1]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v8;
            body0<1>(x0, x1, x2, v8);
            p_how0_0 = how0_0::add(p_how0_0, v8[0], r);
        }
    }
    v4[0] = gg_of_row<how0_0>(p_how0_0);
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r1 = static_cast<count>(r) % a.reduced_shape[1];
            const count r0 = static_cast<count>(r) / a.reduced_shape[1];
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0] + r1 * a.reduced_i0[1]);
            const index at_i1 = base_i1 + static_cast<index>(r0 * a.reduced_i1[0] + r1 * a.reduced_i1[1]);
            const index at_i2 = base_i2 + static_cast<index>(r0 * a.reduced_i2[0] + r1 * a.reduced_i2[1]);
            const index at_o1 = base_o1 + static_cast<index>(r0 * a.reduced_o1[0] + r1 * a.reduced_o1[1]);
            const index at_o2 = base_o2 + static_cast<index>(r0 * a.reduced_o2[0] + r1 * a.reduced_o2[1]);
            const index at_o3 = base_o3 + static_cast<index>(r0 * a.reduced_o3[0] + r1 * a.reduced_o3[1]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            const gg_pack<float32, 1> x1 = gg_load<1>(a.i1 + at_i1);
            const gg_pack<float32, 1> x2 = gg_load<1>(a.i2 + at_i2);
            gg_pack<float32, 1> v5;
            gg_pack<float32, 1> v6;
            gg_pack<float32, 1> v7;
            body2<1>(x0, x1, x2, i3, v5, v6, v7);
            gg_add_to(a.o1 + at_o1, v5);
            gg_add_to(a.o2 + at_o2, v6);
            gg_store(a.o3 + at_o3, v7);
        }
    }
    if (here && threadIdx.x == 0) gg_store(a.o0 + base_o0, v4);
}

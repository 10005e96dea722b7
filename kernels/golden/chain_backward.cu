typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    const float32* i1;
    const float32* i2;
    const float32* i3;
    float32* o0;
    float32* o1;
    int64 size;
    index shape[2];
    index steps_i3[2];
};

template <int N>
GG_DEVICE void body(const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x1 = i1[j];
        const float32 x2 = i2[j];
        const float32 t0 = x1 * x2;
        const float32 x3 = i3[j];
        const float32 t1 = t0 + x3;
        const float32 t2 = gg_tanh(t1);
        const float32 t3 = -x1;
        const float32 t4 = gg_exp(t3);
        const float32 t5 = float32(1ll) + t4;
        const float32 t6 = gg_reciprocal(t5);
        const float32 t7 = t2 * t6;
        const float32 t8 = float32(2ll) * t7;
        const float32 x0 = i0[j];
        const float32 t9 = x0 * t8;
        const float32 t10 = t9 * t2;
        const float32 t11 = float32(1ll) - t6;
        const float32 t12 = t6 * t11;
        const float32 t13 = t10 * t12;
        const float32 t14 = t9 * t6;
        const float32 t15 = t2 * t2;
        const float32 t16 = float32(1ll) - t15;
        const float32 t17 = t14 * t16;
        const float32 t18 = t17 * x2;
        const float32 t19 = t13 + t18;
        const float32 t20 = t17 * x1;
        o0[j] = t19;
        o1[j] = t20;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_tanh_negative(const arguments a) {
    const index size = a.size;
    const float32 one_i0 = *a.i0;
    for (index at = 4 * (static_cast<index>(blockIdx.x) * 256 + threadIdx.x); at + 4 <= size; at += 4 * static_cast<index>(gridDim.x) * 256) {
        const count c1 = static_cast<count>(at) % a.shape[1];
        const count c0 = static_cast<count>(at) / a.shape[1];
        const index at_i3 = static_cast<index>(c0 * a.steps_i3[0] + c1);
        const gg_pack<float32, 4> i0 = gg_splat<4>(one_i0);
        const gg_pack<float32, 4> i1 = gg_load<4>(a.i1 + at);
        const gg_pack<float32, 4> i2 = gg_load<4>(a.i2 + at);
        const gg_pack<float32, 4> i3 = gg_load<4>(a.i3 + at_i3);
        gg_pack<float32, 4> o0;
        gg_pack<float32, 4> o1;
        body<4>(i0, i1, i2, i3, o0, o1);
        gg_store(a.o0 + at, o0);
        gg_store(a.o1 + at, o1);
    }
}

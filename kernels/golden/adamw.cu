typedef int64 index;
typedef uint64 count;
struct arguments {
    const int64* tiles;
    const int64* lists;
    float64 s0;
    float64 s1;
    float64 s2;
    float64 s3;
    float64 s4;
    float64 s5;
    float64 s6;
};

template <int N>
GG_DEVICE void body(const arguments& a, const gg_pack<float32, N>& i0, const gg_pack<float32, N>& i1, const gg_pack<float32, N>& i2, const gg_pack<float32, N>& i3, gg_pack<float32, N>& o0, gg_pack<float32, N>& o1, gg_pack<float32, N>& o2) {
    const float64 s0 = a.s0;
    const float64 s1 = a.s1;
    const float64 s2 = a.s2;
    const float64 s3 = a.s3;
    const float64 s4 = a.s4;
    const float64 s5 = a.s5;
    const float64 s6 = a.s6;
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        const float32 t0 = x0 * float32(s0);
        const float32 x1 = i1[j];
        const float32 t1 = float32(s1) * x1;
        const float32 x2 = i2[j];
        const float32 t2 = float32(s2) * x2;
        const float32 t3 = t1 + t2;
        const float32 t4 = float32(s3) * t3;
        const float32 x3 = i3[j];
        const float32 t5 = float32(s4) * x3;
        const float32 t6 = x2 * x2;
        const float32 t7 = float32(s5) * t6;
        const float32 t8 = t5 + t7;
        const float32 t9 = gg_sqrt(t8);
        const float32 t10 = t9 + float32(s6);
        const float32 t11 = t4 / t10;
        const float32 t12 = t0 - t11;
        o0[j] = t12;
        o1[j] = t3;
        o2[j] = t8;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_multiply_add_sqrt_divide_many(const arguments a) {
    const int64* const tile = a.tiles + 2 * static_cast<int64>(blockIdx.x);
    const int64* const list = a.lists + 8 * tile[0];
    const float32* const p_i0 = reinterpret_cast<const float32*>(list[0]);
    const float32* const p_i1 = reinterpret_cast<const float32*>(list[1]);
    const float32* const p_i2 = reinterpret_cast<const float32*>(list[2]);
    const float32* const p_i3 = reinterpret_cast<const float32*>(list[3]);
    float32* const p_o0 = reinterpret_cast<float32*>(list[4]);
    float32* const p_o1 = reinterpret_cast<float32*>(list[5]);
    float32* const p_o2 = reinterpret_cast<float32*>(list[6]);
    const int64 size = list[7];
    const int64 end = tile[1] + 4096 < size ? tile[1] + 4096 : size;
    for (int64 at = tile[1] + 4 * threadIdx.x; at + 4 <= end; at += 1024) {
        const gg_pack<float32, 4> i0 = gg_load<4>(p_i0 + at);
        const gg_pack<float32, 4> i1 = gg_load<4>(p_i1 + at);
        const gg_pack<float32, 4> i2 = gg_load<4>(p_i2 + at);
        const gg_pack<float32, 4> i3 = gg_load<4>(p_i3 + at);
        gg_pack<float32, 4> o0;
        gg_pack<float32, 4> o1;
        gg_pack<float32, 4> o2;
        body<4>(a, i0, i1, i2, i3, o0, o1, o2);
        gg_store(p_o0 + at, o0);
        gg_store(p_o1 + at, o1);
        gg_store(p_o2 + at, o2);
    }
    for (int64 at = tile[1] + (end - tile[1]) / 4 * 4 + threadIdx.x; at < end; at += 256) {
        const gg_pack<float32, 1> i0 = gg_load<1>(p_i0 + at);
        const gg_pack<float32, 1> i1 = gg_load<1>(p_i1 + at);
        const gg_pack<float32, 1> i2 = gg_load<1>(p_i2 + at);
        const gg_pack<float32, 1> i3 = gg_load<1>(p_i3 + at);
        gg_pack<float32, 1> o0;
        gg_pack<float32, 1> o1;
        gg_pack<float32, 1> o2;
        body<1>(a, i0, i1, i2, i3, o0, o1, o2);
        gg_store(p_o0 + at, o0);
        gg_store(p_o1 + at, o1);
        gg_store(p_o2 + at, o2);
    }
}

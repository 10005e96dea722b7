typedef int32 index;
typedef uint32 count;
struct arguments {
    const float32* i0;
    float32* o0;
    int64 kept;
    int64 length;
    index kept_shape[1];
    index reduced_shape[1];
    index kept_i0[1];
    index reduced_i0[1];
    index kept_o0[1];
};

template <int N>
GG_DEVICE void body0(const gg_pack<float32, N>& i0, gg_pack<float32, N>& o0) {
    #pragma unroll
    for (int32 j = 0; j < N; ++j) {
        const float32 x0 = i0[j];
        o0[j] = x0;
    }
}

extern "C" __global__ void __launch_bounds__(256) kernel_max_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 1> v1;
    typedef gg_max_of<float32> how0_0;
    how0_0::partial p_how0_0 = how0_0::none();
    if (here) {
        for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {
            const count r0 = static_cast<count>(r);
            const index at_i0 = base_i0 + static_cast<index>(r0 * a.reduced_i0[0]);
            const gg_pack<float32, 1> x0 = gg_load<1>(a.i0 + at_i0);
            gg_pack<float32, 1> v2;
            body0<1>(x0, v2);
            p_how0_0 = how0_0::add(p_how0_0, v2[0], r);
        }
    }
    v1[0] = gg_of_row<how0_0>(p_how0_0);
    if (here && threadIdx.x == 0) gg_store(a.o0 + base_o0, v1);
}

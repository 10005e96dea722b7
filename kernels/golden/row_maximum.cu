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

extern "C" __global__ void __launch_bounds__(256) kernel_max_rows(const arguments a) {
    const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;
    const bool here = m < a.kept;
    const count k0 = static_cast<count>((here ? m : 0));
    const index base_i0 = static_cast<index>(k0 * a.kept_i0[0]);
    const index base_o0 = static_cast<index>(k0 * a.kept_o0[0]);
    gg_pack<float32, 4> x0[1];
    gg_pack<float32, 1> v1;
    if (here) {
        #pragma unroll
        for (int32 k = 0; k < 1; ++k) {
            const index r = 4 * static_cast<index>(threadIdx.x) + 128 * k;
            if (r < length) {
                x0[k] = gg_load<4>(a.i0 + base_i0 + r);
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
                    p0 = how0::add(p0, x0[k][j], r + j);
                }
            }
        }
    }
    v1[0] = gg_of_row<how0>(p0);
    if (here && threadIdx.x == 0) gg_store(a.o0 + base_o0, v1);
}

// Running sums: what is summed is kept wide, and rounded once for every element that is stored.

// Totals of each thread of a block, so far: on return, `shared` holds for each thread the sum of it and those before.
template <typename H>
GG_DEVICE typename H::partial gg_prefix(typename H::partial p) {
    __shared__ typename H::partial shared[2][256];
    int32 now = 0;
    shared[0][threadIdx.x] = p;
    __syncthreads();
    for (int32 by = 1; by < 256; by *= 2) {
        const bool reaches = static_cast<int32>(threadIdx.x) >= by;
        const typename H::partial own = shared[now][threadIdx.x];
        shared[1 - now][threadIdx.x] = reaches ? H::join(shared[now][threadIdx.x - by], own) : own;
        now = 1 - now;
        __syncthreads();
    }
    p = shared[now][threadIdx.x];
    __syncthreads();
    return p;
}

typedef gg_sum_of<float32> how;
typedef int64 index;  // in which elements are counted
struct arguments {
    const float32* from; float32* to; how::partial* totals;
    int64 length, inner, chunk, chunks;
};

extern "C" __global__ void __launch_bounds__(256) kernel_running_sum_totals(const arguments a) {
    const int64 line = blockIdx.x / a.chunks, chunk = blockIdx.x % a.chunks;
    const int64 base = line / a.inner * a.length * a.inner + line % a.inner;
    const int64 begin = chunk * a.chunk, end = begin + a.chunk < a.length ? begin + a.chunk : a.length;
    how::partial p = how::none();
    for (int64 i = begin + threadIdx.x; i < end; i += 256) p = how::add(p, a.from[base + i * a.inner], i);
    p = gg_across<how>(p);
    if (threadIdx.x == 0) a.totals[blockIdx.x] = p;
}

extern "C" __global__ void __launch_bounds__(256) kernel_running_sum(const arguments a) {
    const int64 line = blockIdx.x / a.chunks, chunk = blockIdx.x % a.chunks;
    const int64 base = line / a.inner * a.length * a.inner + line % a.inner;
    const int64 begin = chunk * a.chunk, end = begin + a.chunk < a.length ? begin + a.chunk : a.length;
    how::partial before = how::none();
    for (int64 c = 0; c < chunk; ++c) before = how::join(before, a.totals[line * a.chunks + c]);
    __shared__ how::partial last;
    for (int64 first = begin; first < end; first += 256) {
        const int64 i = first + threadIdx.x;
        how::partial p = how::none();
        if (i < end) p = how::add(p, a.from[base + i * a.inner], i);
        p = how::join(before, gg_prefix<how>(p));
        if (i < end) a.to[base + i * a.inner] = how::last(p);
        if (threadIdx.x == 255) last = p;
        __syncthreads();
        before = last;
        __syncthreads();
    }
}

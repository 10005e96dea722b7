typedef gg_sum_of<float32> how;
typedef int32 index;  // in which elements are counted
struct arguments {
    float32* to; const float32* from; const int64* at; const int64* starts; const int64* order;
    int64 size, rest, lengths[1], steps[1];
};

extern "C" __global__ void __launch_bounds__(256) kernel_scatter_add(const arguments a) {
    for (index n = static_cast<index>(blockIdx.x) * 256 + threadIdx.x; n < a.size; n += static_cast<index>(gridDim.x) * 256) {
        const index rest = a.rest, named = n / rest;
        index r = n % rest;
        int64 at = 0;
        at += r % static_cast<index>(a.lengths[0]) * a.steps[0];
        r /= static_cast<index>(a.lengths[0]);
        how::partial p = how::add(how::none(), a.to[a.at[named] + at], 0);
        for (int64 i = a.starts[named]; i < a.starts[named + 1]; ++i)
            p = how::add(p, a.from[a.order[i] * rest + n % rest], i);
        a.to[a.at[named] + at] = how::last(p);
    }
}

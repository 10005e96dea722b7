// Sums of a kernel's outputs, and where an output goes.
//
// Sums: along the last axis an element is added to its neighbours in a tile (64 lanes, then a tree), a tile to its group
// with the rounding errors carried along; over leading axes row is added to row; a group to the total; all in float64.
// Tiles and groups follow from the shape and the summed axes alone, so neither layout nor fusion nor the number of threads
// changes a bit.
namespace {

constexpr int64 GROUP = 16384, MAX_GROUPS = 64;  // elements that make a group worth its while; groups of a sum
constexpr int64 MAX_SLOTS = 1 << 19;             // partial sums that are kept at a time
constexpr int64 WIDE = 65536;                    // a sum over leading axes that leaves more than this is cut across

// The sums of an output: float64 with the rounding errors that were made, or integers modulo 2^64 (logical or: 0, 1).
struct Sums {
    float64 *high, *low;
    uint64* whole;

    void place(char* memory, int64 count) {
        whole = reinterpret_cast<uint64*>(memory);
        high = reinterpret_cast<float64*>(memory);
        low = high + count;
    }
    void clear(bool floating, int64 count) {
        for (int64 k = 0; k < count; ++k) {
            if (floating) {
                high[k] = -0.0;  // the number that changes no other, not even a zero
                low[k] = 0;
            } else {
                whole[k] = 0;
            }
        }
    }
    void add(int64 k, float64 x) {
        const float64 s = high[k] + x, b = s - high[k];
        const float64 error = (high[k] - (s - b)) + (x - b);
        high[k] = s;
        if (s - s == 0) low[k] += error;
    }
    float64 total(int64 k) const { return low[k] == 0 ? high[k] : high[k] + low[k]; }
};

template <typename T> float64 piece(const typename T::stored* x, int64 n) {
    float64 lane[PAD];
    if (n < 8) {
        float64 s = T::sum(x[0]);
        for (int64 k = 1; k < n; ++k) s += T::sum(x[k]);
        return s;
    }
    const int64 lanes = n < PAD ? 8 : PAD;
    for (int64 k = 0; k < lanes; ++k) lane[k] = T::sum(x[k]);
    int64 at = lanes;
    if (lanes == PAD) {
        for (; at + PAD <= n; at += PAD)
            GG_INDEPENDENT for (int64 k = 0; k < PAD; ++k) lane[k] += T::sum(x[at + k]);
    } else {
        for (; at + 8 <= n; at += 8)
            for (int64 k = 0; k < 8; ++k) lane[k] += T::sum(x[at + k]);
    }
    for (int64 k = 0; at + k < n; ++k) lane[k] += T::sum(x[at + k]);
    for (int64 w = lanes / 2; w; w /= 2)
        for (int64 k = 0; k < w; ++k) lane[k] += lane[k + w];
    return lane[0];
}

template <typename T> void sum_floats(Sums& sums, int64 target, bool across, const char* from, int64 n) {
    const auto* x = reinterpret_cast<const typename T::stored*>(from);
    if (across) return sums.add(target, piece<T>(x, n));
    float64* high = sums.high + target;
    GG_INDEPENDENT for (int64 k = 0; k < n; ++k) high[k] += T::sum(x[k]);
}

template <typename T> void sum_integers(Sums& sums, int64 target, bool across, const char* from, int64 n) {
    const T* x = reinterpret_cast<const T*>(from);
    for (int64 k = 0; k < n; ++k) sums.whole[across ? target : target + k] += static_cast<uint64>(x[k]);
}

// One output of a kernel, and what becomes of it.
struct Output {
    Layout out;
    int type;
    bool add, sums, floating, shared;  // shared: several groups add to one place
    // The iteration as this sum sees it: alternately kept and summed axes.
    int64 dims, size[MAX_DIMS], step[MAX_DIMS];  // step: between sums, 0 along summed axes
    int64 slots, offset;  // sums that one group can reach; where they begin in `partial`
    Sums group;
    int64 base;

    void collect(int64 at, int64 n, const char* from) {
        int64 index[MAX_DIMS], target = -base, rest = at;
        for (int64 d = dims - 1; d >= 0; --d) {
            index[d] = rest % size[d];
            rest /= size[d];
            target += index[d] * step[d];
        }
        const int64 last = dims - 1;
        for (;;) {
            const int64 run = min(n, size[last] - index[last]);
            one(target, step[last] == 0, from, run);
            n -= run;
            if (!n) return;
            from += run * SIZES[type];
            target -= index[last] * step[last];
            index[last] = 0;
            for (int64 d = last - 1; d >= 0; --d) {
                target += step[d];
                if (++index[d] < size[d]) break;
                target -= size[d] * step[d];
                index[d] = 0;
            }
        }
    }
    void one(int64 target, bool across, const char* x, int64 n) {
        switch (type) {
            case BOOL:
                for (int64 k = 0; k < n; ++k) group.whole[across ? target : target + k] |= x[k] != 0;
                return;
            case INT8: return sum_integers<int8>(group, target, across, x, n);
            case INT16: return sum_integers<int16>(group, target, across, x, n);
            case INT32: return sum_integers<int32>(group, target, across, x, n);
            case INT64: return sum_integers<int64>(group, target, across, x, n);
            case UINT8: return sum_integers<uint8>(group, target, across, x, n);
            case UINT16: return sum_integers<uint16>(group, target, across, x, n);
            case UINT32: return sum_integers<uint32>(group, target, across, x, n);
            case UINT64: return sum_integers<uint64>(group, target, across, x, n);
            case FLOAT16: return sum_floats<Half>(group, target, across, x, n);
            case BFLOAT16: return sum_floats<Brain>(group, target, across, x, n);
            case FLOAT32: return sum_floats<Plain<float32>>(group, target, across, x, n);
            default: return sum_floats<Plain<float64>>(group, target, across, x, n);
        }
    }
    void merge(const Sums& other, int64 count) {
        for (int64 k = 0; k < count; ++k) {
            if (floating) {
                group.add(k, other.high[k]);
                group.low[k] += other.low[k];
            } else if (type == BOOL) {
                group.whole[k] |= other.whole[k];
            } else {
                group.whole[k] += other.whole[k];
            }
        }
    }
    // The finished sums go to the output, from element number `at` on.
    void deliver(int64 at, int64 count) {
        alignas(64) char buffer[TILE * 8];
        for (int64 first = 0; first < count; first += TILE) {
            const int64 n = min(TILE, count - first);
            for (int64 k = 0; k < n; ++k) {
                const float64 x = floating ? group.total(first + k) : 0;
                const uint64 w = floating ? 0 : group.whole[first + k];
                switch (type) {
                    case FLOAT16: write(buffer + 2 * k, Half::from(x)); break;
                    case BFLOAT16: write(buffer + 2 * k, Brain::from(x)); break;
                    case FLOAT32: write(buffer + 4 * k, static_cast<float32>(x)); break;
                    case FLOAT64: write(buffer + 8 * k, x); break;
                    default:
                        switch (SIZES[type]) {
                            case 1: write(buffer + k, static_cast<uint8>(w)); break;
                            case 2: write(buffer + 2 * k, static_cast<uint16>(w)); break;
                            case 4: write(buffer + 4 * k, static_cast<uint32>(w)); break;
                            default: write(buffer + 8 * k, w);
                        }
                }
            }
            put(out, type, add, at + first, n, buffer);
        }
    }
};

}  // namespace

// The driver of compiled kernels on the CPU: walks arrays of any layout tile by tile, hands the tiles to a kernel's body
// as contiguous memory, and stores, adds or sums what comes out. Compiled once; every kernel uses it.
//
// The body is only ever run on whole multiples of 64 elements: a shorter tile is padded. So no element is computed by
// other instructions than its neighbours, and where an element stands in its array changes none of its bits.
//
// Sums: along the last axis an element is added to its neighbours in a tile (64 lanes, then a tree), a tile to its group
// with the rounding errors carried along; over leading axes row is added to row; a group to the total; all in float64. Tiles and groups follow from the shape and the summed axes
// alone, so neither layout nor fusion nor the number of threads changes a bit.
#include <stdlib.h>

namespace {

constexpr int64 TILE = 1024, LONG = 16, PAD = 64, MAX_DIMS = 64, MAX_ARRAYS = 128;
constexpr int64 GROUP = 16384, MAX_GROUPS = 64;  // elements that make a group worth its while; groups of a sum
constexpr int64 MAX_SLOTS = 1 << 19;             // partial sums that are kept at a time
constexpr int64 WIDE = 65536;                    // a sum over leading axes that leaves more than this is cut across

// What comes here is made of the rows of gpugrad/base/dtypes.py: enum Type { BOOL, INT8, ... }, and SIZES of each.
GG_DTYPES

int64 header;  // bytes of a Python object before its own fields

struct Array {  // the fields of NumPy's array object that follow
    char* data;
    int nd;
    int64* shape;
    int64* strides;
};

int64 min(int64 a, int64 b) { return a < b ? a : b; }
int64 max(int64 a, int64 b) { return a > b ? a : b; }

// An array as it is walked: axes of length 1 dropped, axes that lie one inside the other merged. Strides in bytes.
struct Layout {
    char* data;
    int64 item, dims, count;
    int64 size[MAX_DIMS], stride[MAX_DIMS];
    bool aligned;

    void add(int64 n, int64 step) {
        count *= n;
        if (n == 1) return;
        if (dims && stride[dims - 1] == step * n) {
            size[dims - 1] *= n;
            stride[dims - 1] = step;
        } else {
            size[dims] = n;
            stride[dims++] = step;
        }
        if (step % item) aligned = false;
    }
    void start(char* at, int64 bytes) {
        data = at;
        item = bytes;
        dims = 0;
        count = 1;
        aligned = reinterpret_cast<unsigned long long>(at) % bytes == 0;
    }
    bool flat() const { return aligned && dims == 1 && stride[0] == item; }
    bool constant() const { return dims == 0 || (dims == 1 && stride[0] == 0); }

    // Where element number `at` is; index: its place along each axis.
    char* find(int64 at, int64* index) const {
        char* p = data;
        for (int64 d = dims - 1; d >= 0; --d) {
            index[d] = at % size[d];
            at /= size[d];
            p += index[d] * stride[d];
        }
        return p;
    }
    // The memory of n elements from number `at` on, if they lie there one after the other.
    char* direct(int64 at, int64 n) const {
        if (!aligned) return nullptr;
        if (dims == 0) return n == 1 ? data : nullptr;
        if (stride[dims - 1] != item) return nullptr;
        if (dims == 1) return data + at * item;
        int64 index[MAX_DIMS];
        char* p = find(at, index);
        return index[dims - 1] + n <= size[dims - 1] ? p : nullptr;
    }
    // Calls f(pointer, stride, length) for the pieces that n elements from number `at` on consist of.
    template <typename F> void pieces(int64 at, int64 n, F f) const {
        if (dims == 0) return f(data, int64(0), n);
        int64 index[MAX_DIMS];
        char* p = find(at, index);
        const int64 last = dims - 1;
        for (;;) {
            const int64 run = min(n, size[last] - index[last]);
            f(p, stride[last], run);
            n -= run;
            if (!n) return;
            p -= index[last] * stride[last];
            index[last] = 0;
            for (int64 d = last - 1; d >= 0; --d) {
                p += stride[d];
                if (++index[d] < size[d]) break;
                p -= size[d] * stride[d];
                index[d] = 0;
            }
        }
    }
};

template <typename T> T read(const char* p) {
    T x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}
template <typename T> void write(char* p, T x) { __builtin_memcpy(p, &x, sizeof x); }

template <typename T> void gather_as(const Layout& a, int64 at, int64 n, char* to) {
    a.pieces(at, n, [&](const char* p, int64 stride, int64 length) {
        if (stride == int64(sizeof(T))) {
            __builtin_memcpy(to, p, length * sizeof(T));
        } else if (stride == 0) {
            write<T>(to, read<T>(p));
            for (int64 done = 1; done < length; done *= 2)
                __builtin_memcpy(to + done * sizeof(T), to, min(done, length - done) * sizeof(T));
        } else {
            for (int64 k = 0; k < length; ++k, p += stride) {
                write<T>(to + k * sizeof(T), read<T>(p));
                __asm__("" : "+r"(p));  // one by one: vector gathers take twice as long
            }
        }
        to += length * sizeof(T);
    });
}

void gather(const Layout& a, int64 at, int64 n, char* to) {
    switch (a.item) {
        case 1: return gather_as<uint8>(a, at, n, to);
        case 2: return gather_as<uint16>(a, at, n, to);
        case 4: return gather_as<uint32>(a, at, n, to);
        default: return gather_as<uint64>(a, at, n, to);
    }
}

template <typename T> void scatter_as(const Layout& a, int64 at, int64 n, const char* from) {
    a.pieces(at, n, [&](char* p, int64 stride, int64 length) {
        for (int64 k = 0; k < length; ++k) write<T>(p + k * stride, read<T>(from + k * sizeof(T)));
        from += length * sizeof(T);
    });
}

void scatter(const Layout& a, int64 at, int64 n, const char* from) {
    switch (a.item) {
        case 1: return scatter_as<uint8>(a, at, n, from);
        case 2: return scatter_as<uint16>(a, at, n, from);
        case 4: return scatter_as<uint32>(a, at, n, from);
        default: return scatter_as<uint64>(a, at, n, from);
    }
}

// Numbers as they are stored, added and summed.
template <typename T> struct Plain {
    typedef T stored;
    static float64 sum(T x) { return static_cast<float64>(x); }
    static T add(T a, T b) { return a + b; }
    static T from(float64 x) { return static_cast<T>(x); }
};
struct Half {
    typedef float16 stored;
    static float64 sum(float16 x) { return gg_load16(x); }
    static float16 add(float16 a, float16 b) { return {gg_store_float16(gg_load16(a) + gg_load16(b))}; }
    static float16 from(float64 x) { return {gg_store_float16(gg_odd(x))}; }
};
struct Brain {
    typedef bfloat16 stored;
    static float64 sum(bfloat16 x) { return gg_load16(x); }
    static bfloat16 add(bfloat16 a, bfloat16 b) { return {gg_store_bfloat16(gg_load16(a) + gg_load16(b))}; }
    static bfloat16 from(float64 x) { return {gg_store_bfloat16(static_cast<float32>(x))}; }
};

template <typename T> void add_as(const Layout& a, int64 at, int64 n, const char* from) {
    typedef typename T::stored S;
    a.pieces(at, n, [&](char* p, int64 stride, int64 length) {
        if (stride == int64(sizeof(S)) && a.aligned) {
            S* to = reinterpret_cast<S*>(p);
            const S* x = reinterpret_cast<const S*>(from);
            GG_INDEPENDENT for (int64 k = 0; k < length; ++k) to[k] = T::add(to[k], x[k]);
        } else {
            for (int64 k = 0; k < length; ++k)
                write<S>(p + k * stride, T::add(read<S>(p + k * stride), read<S>(from + k * sizeof(S))));
        }
        from += length * sizeof(S);
    });
}

struct Or {
    typedef uint8 stored;
    static uint8 add(uint8 a, uint8 b) { return a | b; }
};

void put(const Layout& a, int type, bool add, int64 at, int64 n, const char* from) {
    if (!add) return scatter(a, at, n, from);
    switch (type) {
        case BOOL: return add_as<Or>(a, at, n, from);
        case INT8: case UINT8: return add_as<Plain<uint8>>(a, at, n, from);
        case INT16: case UINT16: return add_as<Plain<uint16>>(a, at, n, from);
        case INT32: case UINT32: return add_as<Plain<uint32>>(a, at, n, from);
        case INT64: case UINT64: return add_as<Plain<uint64>>(a, at, n, from);
        case FLOAT16: return add_as<Half>(a, at, n, from);
        case BFLOAT16: return add_as<Brain>(a, at, n, from);
        case FLOAT32: return add_as<Plain<float32>>(a, at, n, from);
        default: return add_as<Plain<float64>>(a, at, n, from);
    }
}

// ------------------------------------------------------------------------------------------------------- sums

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
struct Sink {
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

// ------------------------------------------------------------------------------------------------ running a kernel

struct Memory {  // scratch of a thread, kept from call to call
    char* bytes = nullptr;
    int64 size = 0;
    ~Memory() { free(bytes); }
    char* take(int64 wanted) {
        if (wanted > size) {
            free(bytes);
            bytes = static_cast<char*>(aligned_alloc(64, wanted));
            size = bytes ? wanted : 0;
        }
        return bytes;
    }
};
thread_local Memory scratch, slots;

struct Run {
    const gg_kernel* kernel;
    const gg_scalar* scalars;
    Layout inputs[MAX_ARRAYS];
    Sink sinks[MAX_ARRAYS];
    char* tiles[2 * MAX_ARRAYS];  // scratch of each array
    int64 elements, reducing;
    int64 dims, size[MAX_DIMS];  // the iteration, axes merged that no sum tells apart
    bool across;                 // groups divide the second of these axes instead of the first
    int64 groups, bytes;

    void prepare(const gg_kernel* k, void* const* arrays, const gg_scalar* s, const gg_call& call) {
        kernel = k;
        scalars = s;
        elements = 1;
        for (int64 d = 0; d < call.dims; ++d) elements *= call.shape[d];
        for (int64 n = 0; n < k->inputs; ++n) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[n]) + header);
            inputs[n].start(a.data, SIZES[k->types[n]]);
            const int64 lead = call.dims - a.nd;
            for (int64 d = 0; d < call.dims; ++d) {
                const bool along = d >= lead && a.shape[d - lead] != 1;
                inputs[n].add(call.shape[d], along ? a.strides[d - lead] : 0);
            }
        }
        reducing = 0;
        for (int64 n = 0; n < k->outputs; ++n) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[k->inputs + n]) + header);
            Sink& sink = sinks[n];
            sink.type = k->types[k->inputs + n];
            sink.add = n < 63 && (call.accumulate >> n & 1);
            sink.floating = sink.type >= FLOAT16;
            sink.sums = false;
            sink.out.start(a.data, SIZES[sink.type]);
            for (int64 d = 0; d < call.dims; ++d) {
                sink.out.add(a.shape[d], a.strides[d]);
                if (a.shape[d] != call.shape[d]) sink.sums = true;
            }
            reducing += sink.sums;
        }
        if (reducing) {
            merge_axes(call, arrays);
            divide();
        } else {
            groups = max(1, (elements + TILE - 1) / TILE);
            bytes = 0;
        }
    }

    // Neighbouring axes become one unless some output is summed over one of them and not over the other.
    void merge_axes(const gg_call& call, void* const* arrays) {
        int64 axes[MAX_DIMS];
        dims = 0;
        auto summed = [&](int64 n, int64 d) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[kernel->inputs + n]) + header);
            return a.shape[d] != call.shape[d];
        };
        for (int64 d = 0; d < call.dims; ++d) {
            if (call.shape[d] == 1) continue;
            bool same = dims > 0;
            for (int64 n = 0; same && n < kernel->outputs; ++n) same = summed(n, axes[dims - 1]) == summed(n, d);
            if (same) {
                size[dims - 1] *= call.shape[d];
            } else {
                axes[dims] = d;
                size[dims++] = call.shape[d];
            }
        }
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Sink& sink = sinks[n];
            if (!sink.sums) continue;
            sink.dims = 0;
            for (int64 d = 0; d < dims; ++d) {
                const int64 step = summed(n, axes[d]) ? 0 : 1;
                if (sink.dims && sink.step[sink.dims - 1] == step) {
                    sink.size[sink.dims - 1] *= size[d];
                } else {
                    sink.size[sink.dims] = size[d];
                    sink.step[sink.dims++] = step;
                }
            }
            for (int64 d = sink.dims - 1, step = 1; d >= 0; --d) {
                if (!sink.step[d]) continue;
                sink.step[d] = step;
                step *= sink.size[d];
            }
            sink.shared = summed(n, axes[0]);
        }
        across = dims > 1;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            const Sink& sink = sinks[n];
            if (sink.sums) across = across && sink.out.count > WIDE && summed(n, axes[0]) && !summed(n, axes[1]);
        }
    }

    // How many groups, and the memory for the sums that they share.
    void divide() {
        int64 shared = 0;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Sink& sink = sinks[n];
            if (!sink.sums) continue;
            if (across) sink.shared = false;
            if (sink.shared) shared += sink.out.count;
        }
        const int64 lead = across ? size[1] : dims == 1 ? (elements + TILE - 1) / TILE : size[0];
        groups = max(1, min(min(MAX_GROUPS, (elements + GROUP - 1) / GROUP), lead));
        if (shared) groups = max(1, min(groups, MAX_SLOTS / shared));
        bytes = 0;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Sink& sink = sinks[n];
            if (!sink.sums) continue;
            sink.slots = sink.out.count;
            if (!sink.shared && elements) sink.slots = sink.out.count / (across ? size[1] : size[0]) * ((lead + groups - 1) / groups + 1);
            sink.offset = bytes;
            if (sink.shared) bytes += groups * sink.slots * 16;
        }
    }

    // True if all arrays can be used where they lie: then a few tiles are one.
    bool flat() const {
        bool yes = !reducing;
        for (int64 k = 0; yes && k < kernel->inputs; ++k) yes = inputs[k].flat();
        for (int64 k = 0; yes && k < kernel->outputs; ++k) yes = sinks[k].out.flat() && !sinks[k].add;
        return yes;
    }

    // Elements `from` to `to` of the iteration, tile by tile.
    void range(int64 from, int64 to, bool* filled) {
        const char* in[MAX_ARRAYS];
        char* out[MAX_ARRAYS];
        const int64 step = flat() ? LONG * TILE : TILE;
        for (int64 at = from, n; at < to; at += n) {
            n = min(step, to - at);
            if (n > PAD) n -= n % PAD;
            const int64 padded = (n + PAD - 1) / PAD * PAD;
            for (int64 k = 0; k < kernel->inputs; ++k) {
                const Layout& a = inputs[k];
                char* tile = tiles[k];
                in[k] = tile;
                if (a.constant()) {
                    if (!filled[k]) gather_constant(a, tile);
                    filled[k] = true;
                    continue;
                }
                if (n == padded) {
                    const char* there = a.direct(at, n);
                    if (there) {
                        in[k] = there;
                        continue;
                    }
                }
                gather(a, at, n, tile);
                for (int64 j = n; j < padded; ++j) __builtin_memcpy(tile + j * a.item, tile, a.item);
            }
            for (int64 k = 0; k < kernel->outputs; ++k) {
                const Sink& sink = sinks[k];
                char* there = n == padded && !sink.sums && !sink.add ? sink.out.direct(at, n) : nullptr;
                out[k] = there ? there : tiles[kernel->inputs + k];
            }
            kernel->body(in, scalars, out, padded);
            for (int64 k = 0; k < kernel->outputs; ++k) {
                Sink& sink = sinks[k];
                if (out[k] != tiles[kernel->inputs + k]) continue;
                if (sink.sums)
                    sink.collect(at, n, out[k]);
                else
                    put(sink.out, sink.type, sink.add, at, n, out[k]);
            }
        }
    }
    void gather_constant(const Layout& a, char* tile) const {
        Layout one;
        one.start(a.data, a.item);
        gather(one, 0, min(TILE, (elements + PAD - 1) / PAD * PAD), tile);
    }

    // Groups `first` to `last`: the work of one thread.
    bool work(int64 first, int64 last, char* partial) {
        int64 total = 0;
        for (int64 k = 0; k < kernel->inputs; ++k) total += SIZES[kernel->types[k]] * TILE;
        for (int64 k = 0; k < kernel->outputs; ++k) total += SIZES[sinks[k].type] * TILE;
        char* memory = scratch.take(max(64, total));
        if (!memory) return false;
        for (int64 k = 0; k < kernel->inputs + kernel->outputs; ++k) {
            tiles[k] = memory;
            memory += SIZES[kernel->types[k]] * TILE;
        }
        bool filled[MAX_ARRAYS];
        for (int64 k = 0; k < kernel->inputs; ++k) filled[k] = false;
        if (!reducing) {
            range(first * TILE, min(last * TILE, elements), filled);
            return true;
        }
        int64 own = 0;
        for (int64 k = 0; k < kernel->outputs; ++k)
            if (sinks[k].sums && !sinks[k].shared) own += sinks[k].slots * 16;
        char* mine = own ? slots.take((own + 63) / 64 * 64) : nullptr;
        if (own && !mine) return false;
        for (int64 g = first; g < last; ++g) group(g, partial, mine, filled);
        return true;
    }

    void group(int64 g, char* partial, char* mine, bool* filled) {
        int64 inner = 1;
        for (int64 d = across ? 2 : 1; d < dims; ++d) inner *= size[d];
        int64 lead = across ? size[1] : dims ? size[0] : 1;
        const bool tiled = dims <= 1;  // one axis is divided tile by tile
        const int64 units = tiled ? (elements + TILE - 1) / TILE : lead;
        int64 from = units * g / groups, to = units * (g + 1) / groups;
        if (tiled) {
            from *= TILE;
            to = min(to * TILE, elements);
        }
        from *= inner;
        to *= inner;
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Sink& sink = sinks[k];
            if (!sink.sums) continue;
            char* memory = sink.shared ? partial + sink.offset + g * sink.slots * 16 : mine;
            if (!sink.shared) mine += sink.slots * 16;
            sink.group.place(memory, sink.slots);
            sink.group.clear(sink.floating, sink.slots);
            sink.base = sink.shared ? 0 : reached(sink, from, inner);
        }
        if (across)
            for (int64 r = 0; r < size[0]; ++r) range(r * lead * inner + from, r * lead * inner + to, filled);
        else
            range(from, to, filled);
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Sink& sink = sinks[k];
            if (!sink.sums || sink.shared) continue;
            sink.deliver(sink.base, reached(sink, to, inner) - sink.base);
        }
    }
    // How many sums come before element `at` of the divided axis.
    int64 reached(const Sink& sink, int64 at, int64 inner) const {
        return at / inner * (sink.out.count / (across ? size[1] : size[0]));
    }

    // The shared sums of all groups, added in their order.
    void finish(char* partial) {
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Sink& sink = sinks[k];
            if (!sink.sums || !sink.shared) continue;
            char* memory = partial + sink.offset;
            sink.group.place(memory, sink.slots);
            for (int64 g = 1; g < groups; ++g) {
                Sums other;
                other.place(memory + g * sink.slots * 16, sink.slots);
                sink.merge(other, sink.slots);
            }
            sink.deliver(0, sink.slots);
        }
    }

    // Of no elements at all: sums are 0.
    void nothing() {
        alignas(8) const char zero[8] = {};
        for (int64 k = 0; k < kernel->outputs; ++k)
            if (sinks[k].sums && !sinks[k].add)
                for (int64 n = 0; n < sinks[k].out.count; ++n) put(sinks[k].out, sinks[k].type, false, n, 1, zero);
    }
};

thread_local Run run;

}  // namespace

GG_EXPORT void gg_setup(int64 bytes) { header = bytes; }

GG_EXPORT int64 gg_drive(const gg_kernel* kernel, void* const* arrays, const gg_scalar* scalars, const gg_call* call) {
    run.prepare(kernel, arrays, scalars, *call);
    if (call->part < 0) {
        gg_call* answer = const_cast<gg_call*>(call);
        answer->groups = run.groups;
        answer->bytes = run.bytes;
        return 0;
    }
    if (run.elements == 0) {
        run.nothing();
        return 0;
    }
    char* partial = static_cast<char*>(call->partial);
    if (call->parts > 1) {
        if (call->part == call->parts) {
            run.finish(partial);
            return 0;
        }
        return !run.work(run.groups * call->part / call->parts, run.groups * (call->part + 1) / call->parts, partial);
    }
    if (run.bytes) partial = static_cast<char*>(aligned_alloc(64, (run.bytes + 63) / 64 * 64));
    if (run.bytes && !partial) return 1;
    const bool done = run.work(0, run.groups, partial);
    if (done) run.finish(partial);
    if (run.bytes) free(partial);
    return !done;
}

// Arrays as the driver (host.cpp) walks them: of any layout, read into tiles, written from them, added to.
//
// Before this comes what is made of the rows of gpugrad/base/dtypes.py: enum Type { BOOL, INT8, ... }, and SIZES of each.
namespace {

constexpr int64 TILE = 1024, LONG = 16, PAD = 64, MAX_DIMS = 64, MAX_ARRAYS = 128, MAX_SLOTS_OF_ROWS = 512;

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
    static T number(T x) { return x; }
    static T add(T a, T b) { return a + b; }
    static T from(float64 x) { return static_cast<T>(x); }
};
struct Half {
    typedef float16 stored;
    static float64 sum(float16 x) { return gg_load16(x); }
    static float32 number(float16 x) { return gg_load16(x); }
    static float16 add(float16 a, float16 b) { return {gg_store_float16(gg_load16(a) + gg_load16(b))}; }
    static float16 from(float64 x) { return {gg_store_float16(gg_odd(x))}; }
};
struct Brain {
    typedef bfloat16 stored;
    static float64 sum(bfloat16 x) { return gg_load16(x); }
    static float32 number(bfloat16 x) { return gg_load16(x); }
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

}  // namespace

// Kernels that reduce: whole rows at a time, step by step. What one step leaves for another stays in the cache.
//
// A row is reduced in an order that follows from its length alone: a sum like that of a tile (64 lanes, then a tree), tiles of 1024
// elements with the rounding errors carried along, in float64.
namespace {

enum Kind { SUM, MAX, MIN };

// The sum of a row, in the order above. tile(at, n): n elements of the row, from number `at` on.
template <typename T, typename F> float64 sum_of_row(int64 n, F tile) {
    typedef const typename T::stored* Elements;
    float64 high = piece<T>(reinterpret_cast<Elements>(tile(0, min(TILE, n))), min(TILE, n)), low = 0;
    for (int64 at = TILE; at < n; at += TILE) {
        const float64 y = piece<T>(reinterpret_cast<Elements>(tile(at, min(TILE, n - at))), min(TILE, n - at));
        const float64 s = high + y, b = s - high;
        const float64 error = (high - (s - b)) + (y - b);
        high = s;
        if (s - s == 0) low += error;
    }
    return low == 0 ? high : high + low;
}

// The largest element, or the smallest; NaN if there is one. T::number(x) is the number that an element stands for.
template <typename T, bool largest> typename T::stored extreme_of_row(const typename T::stored* x, int64 n) {
    typedef typename T::stored S;
    auto better = [](S a, S b) {
        const auto v = T::number(a), w = T::number(b);
        return (largest ? w > v : w < v) || w != w ? b : a;
    };
    S lane[PAD];
    if (n < PAD) {
        S best = x[0];
        for (int64 k = 1; k < n; ++k) best = better(best, x[k]);
        return best;
    }
    for (int64 k = 0; k < PAD; ++k) lane[k] = x[k];
    int64 at = PAD;
    for (; at + PAD <= n; at += PAD)
        GG_INDEPENDENT for (int64 k = 0; k < PAD; ++k) {
            const S a = lane[k], b = x[at + k];
            const auto v = T::number(a), w = T::number(b);
            lane[k] = (largest ? w > v : w < v) | (w != w) ? b : a;
        }
    for (int64 k = 0; at + k < n; ++k) lane[k] = better(lane[k], x[at + k]);
    for (int64 w = PAD / 2; w; w /= 2)
        for (int64 k = 0; k < w; ++k) lane[k] = better(lane[k], lane[k + w]);
    return lane[0];
}

template <typename T> void reduce_floats(int kind, const char* from, int64 n, char* to) {
    const auto* x = reinterpret_cast<const typename T::stored*>(from);
    if (kind == SUM) return write(to, T::from(sum_of_row<T>(n, [&](int64 at, int64) { return x + at; })));
    write(to, kind == MAX ? extreme_of_row<T, true>(x, n) : extreme_of_row<T, false>(x, n));
}

template <typename T> void reduce_integers(int kind, const char* from, int64 n, char* to) {
    const T* x = reinterpret_cast<const T*>(from);
    if (kind != SUM)
        return write(to, kind == MAX ? extreme_of_row<Plain<T>, true>(x, n) : extreme_of_row<Plain<T>, false>(x, n));
    uint64 whole = 0;
    for (int64 k = 0; k < n; ++k) whole += static_cast<uint64>(x[k]);
    write(to, static_cast<T>(whole));
}

void reduce_booleans(int kind, const char* from, int64 n, char* to) {
    bool any = false, all = true;
    for (int64 k = 0; k < n; ++k) {
        any |= from[k] != 0;
        all &= from[k] != 0;
    }
    write(to, static_cast<uint8>(kind == MIN ? all : any));
}

// The sum of a row that does not lie in one piece; false for what has no floats.
template <typename F> bool sum_in_tiles(int type, int64 n, F tile, char* to) {
    switch (type) {
        case FLOAT16: write(to, Half::from(sum_of_row<Half>(n, tile))); return true;
        case BFLOAT16: write(to, Brain::from(sum_of_row<Brain>(n, tile))); return true;
        case FLOAT32: write(to, Plain<float32>::from(sum_of_row<Plain<float32>>(n, tile))); return true;
        case FLOAT64: write(to, sum_of_row<Plain<float64>>(n, tile)); return true;
        default: return false;
    }
}

void reduce_row(int kind, int type, const char* x, int64 n, char* to) {
    switch (type) {
        case BOOL: return reduce_booleans(kind, x, n, to);
        case INT8: return reduce_integers<int8>(kind, x, n, to);
        case INT16: return reduce_integers<int16>(kind, x, n, to);
        case INT32: return reduce_integers<int32>(kind, x, n, to);
        case INT64: return reduce_integers<int64>(kind, x, n, to);
        case UINT8: return reduce_integers<uint8>(kind, x, n, to);
        case UINT16: return reduce_integers<uint16>(kind, x, n, to);
        case UINT32: return reduce_integers<uint32>(kind, x, n, to);
        case UINT64: return reduce_integers<uint64>(kind, x, n, to);
        case FLOAT16: return reduce_floats<Half>(kind, x, n, to);
        case BFLOAT16: return reduce_floats<Brain>(kind, x, n, to);
        case FLOAT32: return reduce_floats<Plain<float32>>(kind, x, n, to);
        default: return reduce_floats<Plain<float64>>(kind, x, n, to);
    }
}

// n elements: the first of `from` `first` times, each of the others `length` times.
template <typename T> void repeat_as(const char* from, int64 first, int64 length, int64 n, char* to) {
    const T* x = reinterpret_cast<const T*>(from);
    T* y = reinterpret_cast<T*>(to);
    for (int64 run = min(first, n); n > 0; run = min(length, n)) {
        const T value = *x++;
        GG_INDEPENDENT for (int64 k = 0; k < run; ++k) y[k] = value;
        y += run;
        n -= run;
    }
}

void repeat(int64 item, const char* from, int64 first, int64 length, int64 n, char* to) {
    switch (item) {
        case 1: return repeat_as<uint8>(from, first, length, n, to);
        case 2: return repeat_as<uint16>(from, first, length, n, to);
        case 4: return repeat_as<uint32>(from, first, length, n, to);
        default: return repeat_as<uint64>(from, first, length, n, to);
    }
}

int64 padded(int64 n) { return (n + PAD - 1) / PAD * PAD; }

// The steps of a kernel on a batch of rows.
struct Batch {
    Run& run;
    const gg_kernel& kernel;
    char* slot[MAX_SLOTS_OF_ROWS];    // what is kept: full slots for the batch, row slots for its rows, tiles of the others
    int64 filled[MAX_SLOTS_OF_ROWS];  // the row whose value fills the tile of a row slot, or of an input, -1 if no single one does
    int64 first, count;               // rows

    Batch(Run& r) : run(r), kernel(*r.kernel) {}

    int64 item(int64 n) const { return SIZES[kernel.types[n]]; }
    bool is_array(int64 n) const { return n < kernel.inputs + kernel.outputs; }

    bool prepare() {
        const int64 most = padded(run.batch * run.length), rows = padded(run.batch);
        int64 bytes = 64;
        for (int pass = 0; pass < 2; ++pass) {
            char* memory = pass ? row_scratch.take(bytes) : nullptr;
            if (pass && !memory) return false;
            for (int64 n = 0; n < kernel.slots; ++n) {
                // A full input may have to be gathered, row by row, to be reduced; a row slot has room for a tile in which it is repeated.
                const int64 size = kernel.row[n] ? rows + TILE : is_array(n) ? (n < kernel.inputs ? padded(run.length) : TILE) : most;
                const int64 room = (size * item(n) + 63) / 64 * 64;
                if (pass) slot[n] = memory, memory += room;
                else bytes += room;
            }
        }
        return true;
    }

    void rows_from(int64 from, int64 n) {
        first = from;
        count = n;
        for (int64 k = kernel.inputs; k < kernel.slots; ++k) filled[k] = -1;
        for (int64 k = 0; k < kernel.inputs; ++k) {
            if (!kernel.row[k]) continue;
            filled[k] = -1;
            gather(run.inputs[k], first, count, slot[k]);
            pad(k);
        }
        for (int64 k = 0; k < kernel.count; ++k) {
            const gg_step& step = kernel.steps[k];
            if (!step.body) reduce(step);
            else if (step.row) over_rows(step);
            else over_tiles(step);
        }
        for (int64 k = 0; k < kernel.outputs; ++k)
            if (kernel.row[kernel.inputs + k]) {
                const Output& output = run.outputs[k];
                put(output.out, output.type, output.add, first, count, slot[kernel.inputs + k]);
            }
    }

    void pad(int64 n) {
        for (int64 j = count; j < padded(count); ++j) __builtin_memcpy(slot[n] + j * item(n), slot[n], item(n));
    }

    void reduce(const gg_step& step) {
        const int64 from = step.in[0], to = step.out[0], length = run.length;
        for (int64 r = 0; r < count; ++r) {
            const char* x = slot[from] + r * length * item(from);
            if (is_array(from)) {
                const Layout& a = run.inputs[from];
                x = a.direct((first + r) * length, length);
                auto tile = [&](int64 at, int64 n) -> const char* {  // most of them may lie in memory as they are
                    const char* there = a.direct((first + r) * length + at, n);
                    if (!there) gather(a, (first + r) * length + at, n, slot[from]);
                    return there ? there : slot[from];
                };
                if (!x && step.kind == SUM && sum_in_tiles(kernel.types[from], length, tile, slot[to] + r * item(to))) continue;
                if (!x) {
                    gather(run.inputs[from], (first + r) * length, length, slot[from]);
                    x = slot[from];
                }
            }
            reduce_row(step.kind, kernel.types[from], x, length, slot[to] + r * item(to));
        }
        pad(to);
    }

    void over_rows(const gg_step& step) {
        const char* in[MAX_ARRAYS];
        char* out[MAX_ARRAYS];
        for (int32 k = 0; k < step.inputs; ++k) in[k] = slot[step.in[k]];
        for (int32 k = 0; k < step.outputs; ++k) out[k] = slot[step.out[k]];
        step.body(in, run.scalars, out, padded(count));
    }

    void over_tiles(const gg_step& step) {
        const char* in[MAX_ARRAYS];
        char* out[MAX_ARRAYS];
        const int64 start = first * run.length, size = count * run.length;
        for (int64 at = 0, n; at < size; at += n) {
            n = min(TILE, size - at);
            if (n > PAD) n -= n % PAD;
            const int64 whole = padded(n);
            for (int32 k = 0; k < step.inputs; ++k) {
                const int64 s = step.in[k];
                if (kernel.row[s]) in[k] = repeated(s, at, n, whole);
                else if (!is_array(s)) in[k] = slot[s] + at * item(s);
                else in[k] = tile_of_input(s, start + at, n, whole);
            }
            for (int32 k = 0; k < step.outputs; ++k) {
                const int64 s = step.out[k];
                if (!is_array(s)) {
                    out[k] = slot[s] + at * item(s);
                    continue;
                }
                const Output& output = run.outputs[s - kernel.inputs];
                char* there = n == whole && !output.sums && !output.add ? output.out.direct(start + at, n) : nullptr;
                out[k] = there ? there : slot[s];
            }
            step.body(in, run.scalars, out, whole);
            for (int32 k = 0; k < step.outputs; ++k) {
                const int64 s = step.out[k];
                if (!is_array(s) || out[k] != slot[s]) continue;
                Output& output = run.outputs[s - kernel.inputs];
                if (output.sums) output.collect(start + at, n, out[k]);
                else put(output.out, output.type, output.add, start + at, n, out[k]);
            }
        }
    }

    const char* tile_of_input(int64 s, int64 at, int64 n, int64 whole) {
        const Layout& a = run.inputs[s];
        // One element all over, or for a whole row, fills a tile once.
        const bool constant = a.constant();
        if (constant || (a.stride[a.dims - 1] == 0 && a.size[a.dims - 1] % run.length == 0 && at % run.length + n <= run.length)) {
            const int64 row = constant ? 0 : at / run.length;
            if (filled[s] != row) gather_same(a, constant ? 0 : at, run.tiles[s]);
            filled[s] = row;
            return run.tiles[s];
        }
        filled[s] = -1;
        if (n == whole) {
            const char* there = a.direct(at, n);
            if (there) return there;
        }
        char* tile = run.tiles[s];
        gather(a, at, n, tile);
        for (int64 j = n; j < whole; ++j) __builtin_memcpy(tile + j * a.item, tile, a.item);
        return tile;
    }

    void gather_same(const Layout& a, int64 at, char* tile) {
        int64 index[MAX_DIMS];
        repeat(a.item, a.find(at, index), TILE, TILE, TILE, tile);
    }

    // Row values along their rows, behind the values themselves. What is one row's all over is filled once.
    const char* repeated(int64 s, int64 at, int64 n, int64 whole) {
        char* tile = slot[s] + padded(run.batch) * item(s);
        const int64 row = at / run.length, left = run.length - at % run.length;
        if (left >= n) {
            if (filled[s] != row) repeat(item(s), slot[s] + row * item(s), TILE, TILE, TILE, tile);
            filled[s] = row;
            return tile;
        }
        filled[s] = -1;
        repeat(item(s), slot[s] + row * item(s), left, run.length, n, tile);
        for (int64 j = n; j < whole; ++j) __builtin_memcpy(tile + j * item(s), tile, item(s));
        return tile;
    }
};

bool whole_rows(Run& run, int64 from, int64 to) {
    Batch batch(run);
    if (!batch.prepare()) return false;
    for (int64 k = 0; k < run.kernel->slots; ++k) batch.filled[k] = -1;
    for (int64 r = from; r < to; r += run.batch) batch.rows_from(r, min(run.batch, to - r));
    return true;
}

}  // namespace

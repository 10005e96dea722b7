// The driver of compiled kernels on the CPU: walks arrays of any layout tile by tile, hands the tiles to a kernel's body
// as contiguous memory, and stores, adds or sums what comes out. Compiled once; every kernel uses it.
//
// The body is only ever run on whole multiples of 64 elements: a shorter tile is padded. So no element is computed by
// other instructions than its neighbours, and where an element stands in its array changes none of its bits.
#include <stdlib.h>

namespace {

constexpr int64 PARTS = 4;     // of the work, for each thread
constexpr int64 BATCH = 8192;  // elements of the rows that are worked on at a time, if there is more than one

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
thread_local Memory scratch, slots, row_scratch;

constexpr int64 FAR = 64 << 20;  // bytes of a call: more than caches hold

// Whole lines of 64 bytes, to memory past the caches; with narrower stores nothing is won.
#if defined(__AVX512F__) && !defined(__clang__)
constexpr bool STREAMS = true;
void stream(char* to, const char* from, int64 bytes) {
    typedef long long Line __attribute__((vector_size(64)));
    for (int64 k = 0; k < bytes; k += 64) __builtin_ia32_movntdq512(reinterpret_cast<Line*>(to + k), *reinterpret_cast<const Line*>(from + k));
}
void settle() { __builtin_ia32_sfence(); }
#else
constexpr bool STREAMS = false;
void stream(char*, const char*, int64) {}
void settle() {}
#endif

struct Run;
bool whole_rows(Run& run, int64 from, int64 to);

struct Run {
    const gg_kernel* kernel;
    const gg_scalar* scalars;
    Layout inputs[MAX_ARRAYS];
    Output outputs[MAX_ARRAYS];
    char* tiles[2 * MAX_ARRAYS];  // scratch of each array
    int64 elements, reducing;
    int64 kept, length, rows, batch;  // of a kernel with steps: axes that are not reduced, elements of a row, rows, rows at a time
    int64 order[MAX_DIMS];            // the axes as they are walked: those of a row come last
    int64 dims, size[MAX_DIMS];  // the iteration, axes merged that no sum tells apart
    bool across;                 // groups divide the second of these axes instead of the first
    int64 groups, bytes;

    void prepare(const gg_kernel* k, void* const* arrays, const gg_scalar* s, const gg_call& call) {
        kernel = k;
        scalars = s;
        elements = 1;
        length = 1;
        kept = 0;
        for (int64 d = 0; d < call.dims; ++d) {
            elements *= call.shape[d];
            if (!(call.reduced >> d & 1)) order[kept++] = d;
        }
        for (int64 d = 0, q = kept; d < call.dims; ++d) {
            if (!(call.reduced >> d & 1)) continue;
            order[q++] = d;
            length *= call.shape[d];
        }
        for (int64 n = 0; n < k->inputs; ++n) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[n]) + header);
            inputs[n].start(a.data, SIZES[k->types[n]]);
            const int64 lead = call.dims - a.nd;
            for (int64 q = 0; q < (is_row(n) ? kept : call.dims); ++q) {
                const int64 d = order[q];
                const bool along = d >= lead && a.shape[d - lead] != 1;
                inputs[n].add(call.shape[d], along ? a.strides[d - lead] : 0);
            }
        }
        reducing = 0;
        for (int64 n = 0; n < k->outputs; ++n) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[k->inputs + n]) + header);
            Output& output = outputs[n];
            output.type = k->types[k->inputs + n];
            output.add = n < 63 && (call.accumulate >> n & 1);
            output.floating = output.type >= FLOAT16;
            output.sums = false;
            output.out.start(a.data, SIZES[output.type]);
            for (int64 q = 0; q < (is_row(k->inputs + n) ? kept : call.dims); ++q) {
                const int64 d = order[q];
                output.out.add(a.shape[d], a.strides[d]);
                if (a.shape[d] != call.shape[d]) output.sums = true;
            }
            reducing += output.sums;
        }
        if (k->count) {
            rows = elements / max(1, length);
            batch = max(1, BATCH / max(1, length));
        }
        if (reducing) {
            merge_axes(call, arrays);
            divide();
        } else {
            groups = max(1, k->count ? (rows + batch - 1) / batch : (elements + TILE - 1) / TILE);
            bytes = 0;
        }
    }
    bool is_row(int64 slot) const { return kernel->count && kernel->row[slot]; }

    // Neighbouring axes become one unless some output is summed over one of them and not over the other, or one belongs to a row.
    void merge_axes(const gg_call& call, void* const* arrays) {
        int64 axes[MAX_DIMS];
        dims = 0;
        auto summed = [&](int64 n, int64 d) {
            const Array& a = *reinterpret_cast<const Array*>(static_cast<char*>(arrays[kernel->inputs + n]) + header);
            return a.shape[d] != call.shape[d];
        };
        for (int64 q = 0; q < call.dims; ++q) {
            const int64 d = order[q];
            if (call.shape[d] == 1) continue;
            bool same = dims > 0 && !(call.reduced >> d & 1) == !(call.reduced >> axes[dims - 1] & 1);
            for (int64 n = 0; same && n < kernel->outputs; ++n) same = summed(n, axes[dims - 1]) == summed(n, d);
            if (same) {
                size[dims - 1] *= call.shape[d];
            } else {
                axes[dims] = d;
                size[dims++] = call.shape[d];
            }
        }
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Output& output = outputs[n];
            if (!output.sums) continue;
            output.dims = 0;
            for (int64 d = 0; d < dims; ++d) {
                const int64 step = summed(n, axes[d]) ? 0 : 1;
                if (output.dims && output.step[output.dims - 1] == step) {
                    output.size[output.dims - 1] *= size[d];
                } else {
                    output.size[output.dims] = size[d];
                    output.step[output.dims++] = step;
                }
            }
            for (int64 d = output.dims - 1, step = 1; d >= 0; --d) {
                if (!output.step[d]) continue;
                output.step[d] = step;
                step *= output.size[d];
            }
            output.shared = summed(n, axes[0]);
        }
        across = dims > 1 && !kernel->count;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            const Output& output = outputs[n];
            if (output.sums) across = across && output.out.count > WIDE && summed(n, axes[0]) && !summed(n, axes[1]);
        }
    }

    // The length of the axis that groups divide: a row is never divided.
    int64 divided() const { return across ? size[1] : kernel->count && rows <= 1 ? 1 : dims ? size[0] : 1; }

    // How many groups, and the memory for the sums that they share.
    void divide() {
        int64 shared = 0;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Output& output = outputs[n];
            if (!output.sums) continue;
            if (across) output.shared = false;
            if (output.shared) shared += output.out.count;
        }
        const int64 lead = dims == 1 && !kernel->count ? (elements + TILE - 1) / TILE : divided();
        groups = max(1, min(min(MAX_GROUPS, (elements + GROUP - 1) / GROUP), lead));
        if (shared) groups = max(1, min(groups, MAX_SLOTS / shared));
        bytes = 0;
        for (int64 n = 0; n < kernel->outputs; ++n) {
            Output& output = outputs[n];
            if (!output.sums) continue;
            output.slots = output.out.count;
            if (!output.shared && elements) output.slots = output.out.count / divided() * ((lead + groups - 1) / groups + 1);
            output.offset = bytes;
            if (output.shared) bytes += groups * output.slots * 16;
        }
    }

    // True if all arrays can be used where they lie: then a few tiles are one.
    bool flat() const {
        bool yes = !reducing;
        for (int64 k = 0; yes && k < kernel->inputs; ++k) yes = inputs[k].flat();
        for (int64 k = 0; yes && k < kernel->outputs; ++k) yes = outputs[k].out.flat() && !outputs[k].add;
        return yes;
    }

    // Whether results go to memory past the caches, which would have to read it first, and could not keep it.
    bool streams() const {
        int64 bytes = 0;
        for (int64 k = 0; k < kernel->inputs; ++k) bytes += inputs[k].constant() ? 0 : elements * inputs[k].item;
        for (int64 k = 0; k < kernel->outputs; ++k) bytes += outputs[k].sums ? 0 : elements * outputs[k].out.item;
        return STREAMS && bytes >= FAR;
    }

    // Elements `from` to `to` of the iteration, tile by tile.
    void range(int64 from, int64 to, bool* filled) {
        const char* in[MAX_ARRAYS];
        char* out[MAX_ARRAYS];
        char* past[MAX_ARRAYS];
        const bool far = streams();
        const int64 step = flat() && !far ? LONG * TILE : TILE;
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
                const Output& output = outputs[k];
                char* there = n == padded && !output.sums && !output.add ? output.out.direct(at, n) : nullptr;
                past[k] = far && there && reinterpret_cast<unsigned long long>(there) % 64 == 0 ? there : nullptr;
                out[k] = there && !past[k] ? there : tiles[kernel->inputs + k];
            }
            kernel->body(in, scalars, out, padded);
            for (int64 k = 0; k < kernel->outputs; ++k) {
                Output& output = outputs[k];
                if (out[k] != tiles[kernel->inputs + k]) continue;
                if (past[k])
                    stream(past[k], out[k], n * output.out.item);
                else if (output.sums)
                    output.collect(at, n, out[k]);
                else
                    put(output.out, output.type, output.add, at, n, out[k]);
            }
        }
        if (far) settle();
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
        for (int64 k = 0; k < kernel->outputs; ++k) total += SIZES[outputs[k].type] * TILE;
        char* memory = scratch.take(max(64, total));
        if (!memory) return false;
        for (int64 k = 0; k < kernel->inputs + kernel->outputs; ++k) {
            tiles[k] = memory;
            memory += SIZES[kernel->types[k]] * TILE;
        }
        bool filled[MAX_ARRAYS];
        for (int64 k = 0; k < kernel->inputs; ++k) filled[k] = false;
        if (!reducing) {
            if (kernel->count) return whole_rows(*this, first * batch, min(last * batch, rows));
            range(first * TILE, min(last * TILE, elements), filled);
            return true;
        }
        int64 own = 0;
        for (int64 k = 0; k < kernel->outputs; ++k)
            if (outputs[k].sums && !outputs[k].shared) own += outputs[k].slots * 16;
        char* mine = own ? slots.take((own + 63) / 64 * 64) : nullptr;
        if (own && !mine) return false;
        for (int64 g = first; g < last; ++g)
            if (!group(g, partial, mine, filled)) return false;
        return true;
    }

    bool group(int64 g, char* partial, char* mine, bool* filled) {
        int64 inner = 1;
        for (int64 d = across ? 2 : 1; d < dims; ++d) inner *= size[d];
        const int64 lead = divided();
        const bool tiled = dims <= 1 && !kernel->count;  // one axis is divided tile by tile
        if (kernel->count && rows <= 1) inner = elements;
        const int64 units = tiled ? (elements + TILE - 1) / TILE : lead;
        int64 from = units * g / groups, to = units * (g + 1) / groups;
        if (tiled) {
            from *= TILE;
            to = min(to * TILE, elements);
        }
        from *= inner;
        to *= inner;
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Output& output = outputs[k];
            if (!output.sums) continue;
            char* memory = output.shared ? partial + output.offset + g * output.slots * 16 : mine;
            if (!output.shared) mine += output.slots * 16;
            output.group.place(memory, output.slots);
            output.group.clear(output.floating, output.slots);
            output.base = output.shared ? 0 : reached(output, from, inner);
        }
        if (kernel->count) {
            if (!whole_rows(*this, from / length, to / length)) return false;
        } else if (across) {
            for (int64 r = 0; r < size[0]; ++r) range(r * lead * inner + from, r * lead * inner + to, filled);
        } else {
            range(from, to, filled);
        }
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Output& output = outputs[k];
            if (!output.sums || output.shared) continue;
            output.deliver(output.base, reached(output, to, inner) - output.base);
        }
        return true;
    }
    // How many sums come before element `at` of the divided axis.
    int64 reached(const Output& output, int64 at, int64 inner) const {
        return at / inner * (output.out.count / divided());
    }

    // The shared sums of all groups, added in their order.
    void finish(char* partial) {
        for (int64 k = 0; k < kernel->outputs; ++k) {
            Output& output = outputs[k];
            if (!output.sums || !output.shared) continue;
            char* memory = partial + output.offset;
            output.group.place(memory, output.slots);
            for (int64 g = 1; g < groups; ++g) {
                Sums other;
                other.place(memory + g * output.slots * 16, output.slots);
                output.merge(other, output.slots);
            }
            output.deliver(0, output.slots);
        }
    }

    // Of no elements at all: sums are 0.
    void nothing() {
        alignas(8) const char zero[8] = {};
        for (int64 k = 0; k < kernel->outputs; ++k)
            if (outputs[k].sums && !outputs[k].add)
                for (int64 n = 0; n < outputs[k].out.count; ++n) put(outputs[k].out, outputs[k].type, false, n, 1, zero);
    }
};

thread_local Run run;

}  // namespace

// What a compiled kernel and the driver (host.cpp) share: how one is called by the other.

union gg_scalar {  // the value of a Python number
    float64 number;
    int64 integer;
};

typedef void gg_body(const char* const* in, const gg_scalar* scalars, char* const* out, int64 n);  // n: a multiple of 64

struct gg_step {  // of a kernel that reduces
    gg_body* body;          // nullptr: a reduction of the first input to the first output
    int32 row, kind;        // row: it computes row values; kind of a reduction: SUM, MAX, MIN
    const int32 *in, *out;  // slots
    int32 inputs, outputs;
};

struct gg_kernel {
    int64 inputs, outputs;
    const int32* types;  // of the inputs, the outputs and the other slots: their place among the rows of gpugrad/base/dtypes.py
    gg_body* body;       // nullptr: it has steps
    int64 slots, count;  // all slots, those of inputs and outputs first; how many steps there are
    const int32* row;    // which slots have one element for each row
    const gg_step* steps;
};

struct gg_call {
    const int64* shape;  // of the iteration
    int64 dims;
    int64 accumulate;    // bit n: output n is added to what is there
    int64 reduced;       // bit d: rows lie along axis d
    int64 threads;       // how many may share the work
    int64 part, parts;   // of many calls that sum nothing: which part of the work this is, of how many
    int64 item;          // of many calls: whose arrays
};

struct gg_driver {
    // Runs a kernel on arrays (NumPy's own objects): 0, or 1 if memory ran out.
    int64 (*one)(const gg_kernel*, void* const* arrays, const gg_scalar*, const gg_call*);
    // Runs it on many lists of arrays, `threads` calls at a time.
    int64 (*many)(const gg_kernel*, void* const* arrays, const gg_scalar*, const gg_call*, int64 count, int64 threads);
};

#define GG_VISIBLE __attribute__((visibility("default")))
#define GG_EXPORT extern "C" GG_VISIBLE
#if defined(__clang__)
#define GG_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define GG_INDEPENDENT _Pragma("GCC ivdep")
#endif
#define GG_EACH(j, n) GG_INDEPENDENT for (int64 j = 0; j < (n & -64); ++j)

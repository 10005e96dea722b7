// CUDA as a C++ compiler for the CPU understands it: the text of a kernel, unchanged, runs on host memory.
//
// A kernel without barriers is a loop over its threads. With barriers or shuffles, each thread of a block is a fiber that
// runs until it must wait for others; in which order they run is chosen by the caller, so that a missing barrier shows.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

// Declared here, since <math.h> alone takes longer to compile than a kernel.
#define GG_C_1(name) extern "C" double name(double) noexcept; extern "C" float name##f(float) noexcept;
#define GG_C_2(name) extern "C" double name(double, double) noexcept; extern "C" float name##f(float, float) noexcept;
GG_C_1(exp) GG_C_1(exp2) GG_C_1(expm1) GG_C_1(log) GG_C_1(log2) GG_C_1(log10) GG_C_1(log1p)
GG_C_1(sin) GG_C_1(cos) GG_C_1(tan) GG_C_1(asin) GG_C_1(acos) GG_C_1(atan)
GG_C_1(sinh) GG_C_1(cosh) GG_C_1(tanh) GG_C_1(asinh) GG_C_1(acosh) GG_C_1(atanh)
GG_C_1(erf) GG_C_1(cbrt) GG_C_1(sqrt) GG_C_1(floor) GG_C_1(ceil) GG_C_1(trunc) GG_C_1(rint) GG_C_1(fabs)
GG_C_1(erfc) GG_C_1(lgamma) GG_C_1(tgamma) GG_C_1(j0) GG_C_1(j1) GG_C_1(y0) GG_C_1(y1)
extern "C" double jn(int, double) noexcept, yn(int, double) noexcept, fma(double, double, double) noexcept;
GG_C_2(hypot) GG_C_2(atan2) GG_C_2(pow) GG_C_2(fmod) GG_C_2(copysign)

#define __CUDACC__ 1
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __shared__ static  // one block runs at a time

struct gg_dim {
    unsigned int x, y, z;
};
static gg_dim threadIdx, blockIdx, blockDim, gridDim;

static inline double __longlong_as_double(long long bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

namespace emulator {

enum { MOST = 1024, STACK = 64 << 10 };
enum State { READY, BARRIER, SHUFFLE, DONE };

struct Fiber {
    ucontext_t start;
    jmp_buf at;
    bool started;
    State state;
    gg_dim index;
    int shuffles;
};

static Fiber fibers[MOST];
static char* stacks;
static int count, current;
static jmp_buf scheduler;
static unsigned long long lanes[MOST / 32][2][32];
static void (*body)(void*);
static void* argument;

static void entry() {
    body(argument);
    fibers[current].state = DONE;
    _longjmp(scheduler, 1);
}

static void wait_as(State state) {
    fibers[current].state = state;
    if (!_setjmp(fibers[current].at)) _longjmp(scheduler, 1);
}

static void resume(int n) {
    current = n;
    Fiber& f = fibers[n];
    f.state = READY;
    threadIdx = f.index;
    if (_setjmp(scheduler)) return;
    if (f.started) _longjmp(f.at, 1);
    f.started = true;
    getcontext(&f.start);
    f.start.uc_stack.ss_sp = stacks + static_cast<size_t>(n) * STACK;
    f.start.uc_stack.ss_size = STACK;
    f.start.uc_link = nullptr;
    makecontext(&f.start, entry, 0);
    setcontext(&f.start);
}

template <typename T> static T shuffle_down(T x, int by) {
    const int warp = current / 32, lane = current % 32, turn = fibers[current].shuffles++ % 2;
    memcpy(&lanes[warp][turn][lane], &x, sizeof(T));
    wait_as(SHUFFLE);
    if (lane + by < 32) memcpy(&x, &lanes[warp][turn][lane + by], sizeof(T));
    return x;
}

template <typename T> static T shuffle_first(T x, int among) {
    const int warp = current / 32, lane = current % 32, turn = fibers[current].shuffles++ % 2;
    memcpy(&lanes[warp][turn][lane], &x, sizeof(T));
    wait_as(SHUFFLE);
    memcpy(&x, &lanes[warp][turn][lane / among * among], sizeof(T));
    return x;
}

// 0 when all threads have ended; 1 when some wait at a barrier, or in a shuffle, that others do not come to.
static int run_block(int order, unsigned int& seed) {
    static int sequence[MOST];
    for (int n = 0; n < count; ++n) {
        fibers[n].started = false;
        fibers[n].state = READY;
        fibers[n].shuffles = 0;
        fibers[n].index = gg_dim{n % blockDim.x, n / blockDim.x, 0};
        sequence[n] = order == 1 ? count - 1 - n : n;
    }
    for (;;) {
        if (order == 2)
            for (int n = count - 1; n > 0; --n) {
                seed = seed * 1664525u + 1013904223u;
                const int m = (seed >> 8) % (n + 1), t = sequence[n];
                sequence[n] = sequence[m];
                sequence[m] = t;
            }
        bool moved = false;
        for (int n = 0; n < count; ++n)
            if (fibers[sequence[n]].state == READY) {
                resume(sequence[n]);
                moved = true;
            }
        int done = 0, barrier = 0;
        for (int n = 0; n < count; ++n) {
            done += fibers[n].state == DONE;
            barrier += fibers[n].state == BARRIER;
        }
        if (done == count) return 0;
        if (barrier == count) {
            for (int n = 0; n < count; ++n) fibers[n].state = READY;
            moved = true;
        }
        for (int w = 0; w < count; w += 32) {
            bool all = true;
            for (int n = w; n < w + 32; ++n) all = all && n < count && fibers[n].state == SHUFFLE;
            if (all) {
                for (int n = w; n < w + 32; ++n) fibers[n].state = READY;
                moved = true;
            }
        }
        if (!moved) return 1;
    }
}

struct Call {
    unsigned int grid, x, y;
    int order;  // of the threads: 0 ascending, 1 descending, 2 shuffled
    void** parameters;
};

template <typename A> static void invoke(void* kernel) {
    void** const both = static_cast<void**>(kernel);
    reinterpret_cast<void (*)(A)>(both[0])(*static_cast<A*>(both[1]));
}

template <typename A> static int launch(void (*kernel)(A), bool waits, const Call* call) {
    gridDim = gg_dim{call->grid, 1, 1};
    blockDim = gg_dim{call->x, call->y, 1};
    count = call->x * call->y;
    if (waits && !stacks) stacks = static_cast<char*>(malloc(static_cast<size_t>(MOST) * STACK));
    unsigned int seed = 1;
    void* both[2] = {reinterpret_cast<void*>(kernel), call->parameters[0]};
    body = invoke<A>;
    argument = both;
    for (unsigned int b = 0; b < call->grid; ++b) {
        blockIdx = gg_dim{b, 0, 0};
        if (waits) {
            if (run_block(call->order, seed)) return 1;
            continue;
        }
        for (int n = 0; n < count; ++n) {
            const int t = call->order == 1 ? count - 1 - n : n;
            threadIdx = gg_dim{t % call->x, t / call->x, 0};
            kernel(*static_cast<A*>(call->parameters[0]));
        }
    }
    return 0;
}

}  // namespace emulator

#define __syncthreads() emulator::wait_as(emulator::BARRIER)
#define __shfl_down_sync(mask, x, by) emulator::shuffle_down(x, by)
#define __shfl_sync(mask, x, first, among) emulator::shuffle_first(x, among)  // of lane 0 alone

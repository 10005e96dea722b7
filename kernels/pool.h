// The threads of the driver. They are started when work is first shared, and again in a forked child; after each piece of work they
// spin for a moment, in case that another follows at once, and then sleep. They block all signals: those are for Python's threads.
#include <pthread.h>
#include <sched.h>
#include <signal.h>

namespace {

constexpr int64 SPIN = 2000;                // pauses before a thread goes to sleep: some 50 microseconds
constexpr int64 PLACE = int64(1) << 32;     // of `state`: the low half counts who is at work, the high half who may still join

template <typename T> T load(const T& x) { return __atomic_load_n(&x, __ATOMIC_SEQ_CST); }
template <typename T> void store(T& x, T value) { __atomic_store_n(&x, value, __ATOMIC_SEQ_CST); }
int64 add(int64& x, int64 n) { return __atomic_add_fetch(&x, n, __ATOMIC_SEQ_CST); }

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

struct Pool {
    pthread_mutex_t mutex;  // for going to sleep
    pthread_cond_t more;
    int64 round, sleeping, busy, state, started;  // round: counts the pieces of work; busy: one is being shared
    void (*work)(void*);
    void* context;
};
Pool pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, 0, nullptr, nullptr};

bool join() {
    int64 state = load(pool.state);
    while (state >= PLACE)
        if (__atomic_compare_exchange_n(&pool.state, &state, state - PLACE + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return true;
    return false;
}

void* serve(void*) {
    for (int64 seen = 0;;) {
        for (int64 n = 0; n < SPIN && load(pool.round) == seen; ++n) relax();
        if (load(pool.round) == seen) {
            pthread_mutex_lock(&pool.mutex);
            add(pool.sleeping, 1);  // before it looks again: whoever begins a round looks at this after
            while (load(pool.round) == seen) pthread_cond_wait(&pool.more, &pool.mutex);
            add(pool.sleeping, -1);
            pthread_mutex_unlock(&pool.mutex);
        }
        seen = load(pool.round);
        if (!join()) continue;
        pool.work(pool.context);
        add(pool.state, -1);
    }
    return nullptr;
}

void start(int64 count) {
    if (pool.started >= count) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // what a thread is born with
    pthread_t thread;
    while (pool.started < count && pthread_create(&thread, nullptr, serve, nullptr) == 0) {
        pthread_detach(thread);
        ++pool.started;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Runs work(context) in this thread and in up to `helpers` others; returns when all have left it. If the threads are at
// work for somebody else, or cannot be had, this one does it alone.
void share(void (*work)(void*), void* context, int64 helpers) {
    if (helpers < 1 || __atomic_exchange_n(&pool.busy, int64(1), __ATOMIC_SEQ_CST)) return work(context);
    start(helpers);
    pool.work = work;
    pool.context = context;
    store(pool.state, helpers * PLACE);
    add(pool.round, 1);
    if (load(pool.sleeping)) {
        pthread_mutex_lock(&pool.mutex);
        pthread_cond_broadcast(&pool.more);
        pthread_mutex_unlock(&pool.mutex);
    }
    work(context);
    __atomic_fetch_and(&pool.state, PLACE - 1, __ATOMIC_SEQ_CST);  // nobody joins any more
    for (int64 n = 0; load(pool.state); ++n) n < SPIN ? relax() : void(sched_yield());
    store(pool.busy, int64(0));
}

void forget() { pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, 0, nullptr, nullptr}; }  // a child has no threads

}  // namespace

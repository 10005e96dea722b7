// The entries of the driver: a call, many calls, and the threads that share their work.
namespace {

struct Shared {  // the work of one call, as the threads that share it see it
    const gg_kernel* kernel;
    void* const* arrays;
    const gg_scalar* scalars;
    const gg_call* call;
    const Run* owner;
    char* partial;
    int64 parts, next, failed;
};

void take_parts(void* context) {
    Shared& s = *static_cast<Shared*>(context);
    bool prepared = &run == s.owner;
    for (int64 part; (part = add(s.next, 1) - 1) < s.parts;) {
        if (!prepared) run.prepare(s.kernel, s.arrays, s.scalars, *s.call);
        prepared = true;
        if (!run.work(run.groups * part / s.parts, run.groups * (part + 1) / s.parts, s.partial)) store(s.failed, int64(1));
    }
}

int64 drive(const gg_kernel* kernel, void* const* arrays, const gg_scalar* scalars, const gg_call* call) {
    run.prepare(kernel, arrays, scalars, *call);
    if (run.elements == 0) {
        run.nothing();
        return 0;
    }
    if (call->parts > 1) return !run.work(run.groups * call->part / call->parts, run.groups * (call->part + 1) / call->parts, nullptr);
    char* partial = nullptr;
    if (run.bytes) {
        partial = static_cast<char*>(aligned_alloc(64, (run.bytes + 63) / 64 * 64));
        if (!partial) return 1;
    }
    // Several parts for each thread, so that one that is held up does not hold up the others.
    Shared shared = {kernel, arrays, scalars, call, &run, partial, min(run.groups, call->threads > 1 ? PARTS * call->threads : 1), 0, 0};
    share(take_parts, &shared, min(call->threads, shared.parts) - 1);
    if (!shared.failed) run.finish(partial);
    free(partial);
    return shared.failed;
}

struct Many {
    const gg_kernel* kernel;
    void* const* arrays;
    const gg_scalar* scalars;
    const gg_call* calls;
    int64 count, next, failed;
};

void take_calls(void* context) {
    Many& m = *static_cast<Many*>(context);
    for (int64 n; (n = add(m.next, 1) - 1) < m.count;)
        if (drive(m.kernel, m.arrays + m.calls[n].item * (m.kernel->inputs + m.kernel->outputs), m.scalars, m.calls + n)) store(m.failed, int64(1));
}

int64 drive_many(
    const gg_kernel* kernel, void* const* arrays, const gg_scalar* scalars, const gg_call* calls, int64 count, int64 threads
) {
    Many many = {kernel, arrays, scalars, calls, count, 0, 0};
    share(take_calls, &many, min(threads, count) - 1);
    return many.failed;
}

}  // namespace

GG_VISIBLE extern const gg_driver gg_drivers = {drive, drive_many};

// bytes: of a Python object before its own fields. Called once.
GG_EXPORT void gg_setup(int64 bytes) {
    header = bytes;
    pthread_atfork(nullptr, nullptr, forget);
}

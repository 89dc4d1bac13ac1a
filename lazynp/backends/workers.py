"""The threads that help with large kernels: one small pool per process, written in C, that never makes a kernel slower than one thread.

    entry() -> int        the address of `lz_parallel` (its type: PROTOTYPE); 0 where there is none

The caller works on its chunks at once and waits only for chunks that somebody has begun, so a helper that wakes up late (50-100 us on
a virtual machine) costs nothing; OpenMP's barrier waits for every thread. What jobs take is measured: where neighbours are so busy that
helpers do not help, the caller works alone. Chunks are taken one by
one, by the caller from the front and by helpers from the back. Which thread takes a chunk does not change what it computes, so results do
not depend on the number of threads. A
second Python thread that calls while the pool is busy computes alone. A forked child begins with an empty pool.
"""

import os
import warnings
import zlib
from functools import cache
from typing import Any

from lazynp.backends import threads, toolchain
from lazynp.config import settings
from lazynp.errors import CompileError, PerformanceWarning

PROTOTYPE = """\
typedef struct { void **slots; const int64_t *dims; int64_t first, count, chunk; void **parts; } lz_task;
typedef void (*lz_body)(const void *task, int64_t chunk);
typedef void (*lz_parallel)(lz_body body, const void *task, int64_t chunks, int64_t threads, lz_body waiting);
"""
"""What a program declares to use the pool. waiting: called now and then by the caller when only helpers still work; or 0."""

FLAGS = """\
#if defined(__x86_64__)
#define LZ_QUOTIENTS LZ_FMA
static inline void lz_clear_flags(void) { unsigned s = __builtin_ia32_stmxcsr(); if (s & 29) __builtin_ia32_ldmxcsr(s & ~63u); }
static inline int64_t lz_flags(void) { __asm__ volatile("" ::: "memory"); return __builtin_ia32_stmxcsr() & 29; }
static inline void lz_raise_flags(int64_t f) { __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | (unsigned)f); }
#elif defined(__aarch64__)
#define LZ_QUOTIENTS LZ_FMA
static inline uint64_t lz_fpsr(void) { uint64_t s; __asm__ volatile("mrs %0, fpsr" : "=r"(s) :: "memory"); return s; }
static inline void lz_set_fpsr(uint64_t s) { __asm__ volatile("msr fpsr, %0" :: "r"(s) : "memory"); }
static inline void lz_clear_flags(void) { uint64_t s = lz_fpsr(); if (s & 15) lz_set_fpsr(s & ~15ull); }
static inline int64_t lz_flags(void) { uint64_t s = lz_fpsr(); return (s & 1) | (s & 2) << 1 | (s & 4) << 1 | (s & 8) << 1; }
static inline void lz_raise_flags(int64_t f) { lz_set_fpsr(lz_fpsr() | (f & 1) | (f & 4) >> 1 | (f & 8) >> 1 | (f & 16) >> 1); }
#else
#define LZ_QUOTIENTS 0
static inline void lz_clear_flags(void) {}
static inline int64_t lz_flags(void) { return 0; }
static inline void lz_raise_flags(int64_t f) { (void)f; }
#endif
static inline int64_t lz_take_flags(void) { const int64_t f = lz_flags(); if (f) lz_clear_flags(); return f; }
"""
"""The floating-point status of this thread: 1 invalid, 4 divide by zero, 8 overflow, 16 underflow. LZ_QUOTIENTS: whether they tell how
products that stand for quotients went (quotients.py)."""

_SOURCE = (
    """\
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;
"""
    + FLAGS
    + """\
typedef void (*lz_body)(const void *task, int64_t chunk);
int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument);
int pthread_mutex_init(void *mutex, const void *attributes);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);
int pthread_cond_init(void *condition, const void *attributes);
int pthread_cond_wait(void *condition, void *mutex);
int pthread_cond_broadcast(void *condition);
int sched_yield(void);
int clock_gettime(int clock, int64_t *time);

#define MOST_HELPERS 255
#define JOBS 64
#define UNTRIED 8
#define SHARE 32
#if defined(__APPLE__)
#define STEADY 6
#else
#define STEADY 1
#endif
#define SPIN 1000
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif
#define LINE __attribute__((aligned(128)))

/* The job: open is its serial number while helpers may join, else 0. inside: helpers that look at it. */
static LINE int64_t taken;
static LINE int64_t behind;
static LINE int64_t inside;
static LINE int64_t open;
static LINE lz_body body;
static const void *task;
static int64_t chunks, most, serial, busy, helpers, sleeping, ready, flags;
static LINE int64_t mutex[32], condition[32]; /* larger than any system's pthread_mutex_t and pthread_cond_t */

/* The caller takes chunks from the front, helpers from the back: kernels over the same memory find their part in their own cache. */
static void take(void) {
    for (int64_t c = 0; __atomic_fetch_add(&taken, 1, __ATOMIC_ACQ_REL) < chunks; c++) body(task, c);
}

static void take_behind(void) {
    while (__atomic_fetch_add(&taken, 1, __ATOMIC_ACQ_REL) < chunks) {
        body(task, chunks - 1 - __atomic_fetch_add(&behind, 1, __ATOMIC_RELAXED));
    }
}

static int64_t now(void) {
    int64_t time[2];
    clock_gettime(STEADY, time);
    return time[0] * 1000000000 + time[1];
}

/* What a job takes with helpers and without, on average. With busy neighbours helpers sleep in the middle of a chunk, and wake up in the
   place of the caller: then it works alone. The slower way is tried again now and then, for one part in SHARE of the time. */
typedef struct { lz_body body; int64_t chunks, calls, saved, mean[2]; } job_times;
static job_times times[JOBS];

static job_times *times_of(lz_body run, int64_t count) {
    job_times *known = &times[((uint64_t)run / 16 + (uint64_t)count) % JOBS];
    if (known->body != run || known->chunks != count) *known = (job_times){run, count, 0, 0, {0, 0}};
    return known;
}

static int is_alone(job_times *known) {
    const int64_t shared = known->mean[0], alone = known->mean[1];
    if (!shared || !alone) return shared && ++known->calls >= UNTRIED;
    const int better = alone < shared;
    known->saved += (better ? alone : shared) / SHARE;
    if (known->saved < (better ? shared - alone : alone - shared)) return better;
    known->saved = 0;
    return !better;
}

static void note(job_times *known, int alone, int64_t spent) {
    int64_t *mean = &known->mean[alone];
    *mean = *mean ? *mean + (spent - *mean) / 4 : spent;
}

static int64_t wait_for_job(int64_t last) {
    int64_t job;
    for (int64_t k = 0; k < SPIN; k++) {
        job = __atomic_load_n(&open, __ATOMIC_SEQ_CST);
        if (job && job != last) return job;
        PAUSE();
    }
    pthread_mutex_lock(mutex);
    __atomic_fetch_add(&sleeping, 1, __ATOMIC_SEQ_CST);
    while (job = __atomic_load_n(&open, __ATOMIC_SEQ_CST), !job || job == last) pthread_cond_wait(condition, mutex);
    __atomic_fetch_sub(&sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(mutex);
    return job;
}

static void *help(void *unused) {
    int64_t last = 0;
    for (;;) {
        last = wait_for_job(last);
        /* The caller closes the job before it looks at inside; we enter before we look at open: one of us sees the other. */
        const int64_t already = __atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&open, __ATOMIC_SEQ_CST) && already < most) {
            lz_clear_flags();
            take_behind();
            __atomic_fetch_or(&flags, lz_flags(), __ATOMIC_RELAXED);
        }
        __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
    }
    return unused;
}

static void parallel(lz_body run, const void *with, int64_t count, int64_t threads, lz_body waiting) {
    if (threads <= 1 || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {
        for (int64_t c = 0; c < count; c++) run(with, c);
        return;
    }
    const int64_t begun = now();
    job_times *known = times_of(run, count);
    if (is_alone(known)) {
        for (int64_t c = 0; c < count; c++) run(with, c);
        note(known, 1, now() - begun);
        __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
        return;
    }
    if (!ready) ready = !pthread_mutex_init(mutex, 0) && !pthread_cond_init(condition, 0);
    while (ready && helpers < threads - 1 && helpers < MOST_HELPERS) {
        int64_t thread[4];
        if (pthread_create(thread, 0, help, 0)) break;
        helpers++;
    }
    __atomic_store_n(&flags, 0, __ATOMIC_RELAXED);
    body = run, task = with, chunks = count, most = threads - 1;
    __atomic_store_n(&behind, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&open, ++serial, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&sleeping, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(mutex);
        pthread_cond_broadcast(condition);
        pthread_mutex_unlock(mutex);
    }
    take();
    __atomic_store_n(&open, 0, __ATOMIC_SEQ_CST);
    for (int64_t k = 0; __atomic_load_n(&inside, __ATOMIC_SEQ_CST); k++) {
        if (k < SPIN) { PAUSE(); continue; }
        if (waiting) waiting(with, k);
        sched_yield();
    }
    note(known, 0, now() - begun);
    if (flags) lz_raise_flags(flags);
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

/* dims[0] 0: put the address of `parallel` into slots[0]. 1: this process is a forked child, the threads are not in it. */
int64_t lazynp_run(void **slots, const int64_t *dims) {
    if (dims[0]) ready = helpers = sleeping = inside = open = busy = 0;
    else slots[0] = (void *)parallel;
    return 0;
}
"""
)


def are_wanted() -> bool:
    """Whether this process may use several threads. Compiling the pool takes 60 ms, once on a machine."""
    return settings.threads != 1 and (settings.threads > 1 or threads.fixed_limit() > 1)


@cache
def entry() -> int:
    """The address of the pool's one function; compiled when a machine first needs it. 0, with one warning, where it cannot be had."""
    try:
        library = _library()
    except CompileError as error:
        warnings.warn(
            f"lazynp: kernels run on one thread, the pool of threads does not compile here: {error}", PerformanceWarning, stacklevel=2
        )
        return 0
    slots = toolchain.ffi.new("void *[1]")
    library.lazynp_run(slots, toolchain.ffi.new("int64_t[1]", [0]))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: library.lazynp_run(slots, toolchain.ffi.new("int64_t[1]", [1])))
    return int(toolchain.ffi.cast("intptr_t", slots[0]))


def _library() -> Any:
    keys = [f"pool-{zlib.crc32(_SOURCE.encode()):08x}-{fingerprint}" for fingerprint in toolchain.fingerprints()]
    found = next((lib for key in keys if (lib := toolchain.load(key)) is not None), None)
    return found if found is not None else toolchain.build(_SOURCE, keys[0] if keys else "pool")

"""The pool of threads where helpers do not help: what jobs take is measured, and the caller works alone."""

import zlib

import pytest

from lazynp.backends import toolchain, workers
from lazynp.backends.program import FIRST_SLOT, POOL

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

SOURCE = """
typedef __INT64_TYPE__ int64_t;
int nanosleep(const int64_t *time, int64_t *left);
static __thread int caller;
static volatile int64_t helped, done[8];
static void body(const void *task, int64_t chunk) {
    const int64_t pause[2] = {0, *(const int64_t *)task};
    for (volatile int k = 0; k < 20000; k++) ;
    done[chunk]++;
    if (!caller) { helped++; if (pause[1]) nanosleep(pause, 0); }
}
/* dims: jobs, nanoseconds that a helper sleeps in a chunk; then chunks that helpers did, and whether every chunk was done as often. */
int64_t lazynp_run(void **slots, int64_t *dims) {
    caller = 1, helped = 0;
    for (int c = 0; c < 8; c++) done[c] = 0;
    for (int64_t k = 0; k < dims[0]; k++) ((lz_parallel)slots[%d])(body, dims + 1, 8, 2, 0);
    dims[2] = helped, dims[3] = 1;
    for (int c = 0; c < 8; c++) dims[3] &= done[c] == dims[0];
    return 0;
}
"""


def jobs(count: int, pause: int) -> tuple[int, int]:
    """Chunks that helpers did, and whether all were done."""
    text = SOURCE.replace("static __thread", workers.PROTOTYPE + "static __thread", 1) % POOL
    lib = toolchain.build(text, f"test-helpers-{zlib.crc32(text.encode()):08x}-{toolchain.find_compiler().fingerprint}")
    slots = toolchain.ffi.new("void *[]", FIRST_SLOT)
    slots[POOL] = toolchain.ffi.cast("void *", workers.entry())
    dims = toolchain.ffi.new("int64_t[]", [count, pause, 0, 0])
    lib.lazynp_run(slots, dims)
    return dims[2], dims[3]


def test_helpers_that_sleep_are_done_without() -> None:
    helped, all_done = jobs(200, 3_000_000)
    assert all_done
    helped, all_done = jobs(200, 3_000_000)
    assert all_done
    assert helped < 40, "of 1600 chunks; a helper that is asked takes one each time"

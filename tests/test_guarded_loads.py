"""Programs read nothing beside their arguments: these lie against pages that nobody may read."""

import ctypes
import mmap
import subprocess
import sys

import numpy as np
import pytest

import lazynp as lnp

PROGRAMS = {
    "rolls": lambda n, x: n.roll(x, 1, 0) + n.roll(x, -1, 0) + n.roll(x, 1, 1) + n.roll(x, -1, 1),
    "mirrored": lambda n, x: n.pad(x, 1, mode="reflect")[2:, 2:] + n.pad(x, 1, mode="edge")[2:, :-2],
    "joined": lambda n, x: n.concatenate([x[1:], x[:1]]) + n.concatenate([x[:, 1:], x[:, :1]], 1),
    "smoothed": lambda n, x: n.convolve(x.ravel(), x[0, :3], "same"),
    "one where": lambda n, x: n.where(n.roll(x, 1, 1) > x, n.roll(x, -1, 1), x).sum(1),
    "sums of shifts": lambda n, x: (n.roll(x, -1, 1) * x).sum(0),
}
SHAPES = [(316, 316), (724, 740), (3, 3), (4, 4), (5, 9), (17, 33), (40, 7), (65, 64)]


def fenced(values, at_the_end, kept):
    """The values between two pages that nobody may read."""
    page = mmap.PAGESIZE
    size = -(-values.nbytes // page) * page
    memory = mmap.mmap(-1, size + 2 * page)
    kept.append(memory)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    for wall in (first, first + page + size):
        assert protect(ctypes.c_void_p(wall), ctypes.c_size_t(page), 0) == 0
    array = np.ndarray(values.shape, values.dtype, memory, page + (size - values.nbytes if at_the_end else 0))
    array[...] = values
    return array


def run(dtype):
    rng, kept = np.random.default_rng(0), []
    for name, program in PROGRAMS.items():
        compiled = lnp.jit(lambda x, program=program: program(lnp, x))
        for shape in SHAPES:
            values = (rng.random(shape) * 9).astype(dtype)
            for layout in (values, values.T):
                for at_the_end in (True, False):
                    x = fenced(values, at_the_end, kept)
                    x = x if layout is values else x.T
                    print(name, shape, at_the_end, flush=True)
                    np.testing.assert_allclose(compiled(x), program(np, x), 1e-4)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="takes pages away by mprotect")
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1"])
def test_nothing_is_read_beside_an_argument(dtype):
    """In a process of its own, which a read there ends. gcc turned masked loads into loads of all (values.py: _at_least_zero)."""
    script = f"import sys; sys.path[:0] = {sys.path!r}; import test_guarded_loads; test_guarded_loads.run({dtype!r})"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (ended.stdout[-60:], ended.stderr[-2000:])

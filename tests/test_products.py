"""Matrix products in C of our own: against NumPy in all forms, the same bits for any number of threads."""

import numpy as np
import pytest

import lazynp
from lazynp.backends import blas, prelude, products, toolchain, workers
from lazynp.backends.program import FIRST_SLOT, POOL

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None or blas.table() is None, reason="needs a C compiler and BLAS")

SHAPES = [
    (1, 8, 8, 5),
    (1, 130, 481, 257),
    (3, 33, 17, 300),
    (1, 9, 100, 40),
    (2, 40, 24, 1),
    (1, 5, 50, 50),
    (1, 50, 3, 50),
    (1, 300, 700, 30),
    (1, 800, 800, 520),
    (5, 16, 24, 25),
    (3, 9, 9, 200),
]
"""(batch, rows, columns, inner): below and above a panel, a block and the depth of a block."""
ENTRY = """
int64_t lazynp_run(void **slots, const int64_t *dims) {
    lz_product_%s(slots, dims, slots[9], dims[3], slots[6], slots[7], slots[8], dims[4], dims[5], dims[6], dims[7], dims[8],
        (lz_onto_%s){1, 1, 1, 0, 0, 0, 0});
    return 0;
}
"""


def product(a: np.ndarray, b: np.ndarray, turned: int = 0, half: bool = False, threads: int = 1) -> np.ndarray:
    """a (batch, rows, inner) times b (batch, inner, columns); stored transposed where `turned` says so."""
    suffix = prelude.suffix(a.dtype)
    library = blas.table()
    source = "\n".join([prelude.emit([]), workers.PROTOTYPE, library.calls(suffix), products.text(suffix), ENTRY % (suffix, suffix)])
    lib = toolchain.build(source, f"test-products-{suffix}-{toolchain.find_compiler().fingerprint}")
    out = np.full((a.shape[0], a.shape[1], b.shape[2]), np.nan, a.dtype)
    stored = [np.ascontiguousarray(x.transpose(0, 2, 1) if turned >> k & 1 else x) for k, x in enumerate((a, b))]
    slots = toolchain.ffi.new("void *[]", FIRST_SLOT + 4)
    slots[POOL] = toolchain.ffi.cast("void *", workers.entry())
    for k, array in enumerate((*stored, out)):
        slots[FIRST_SLOT + k] = toolchain.ffi.from_buffer(array)
    slots[FIRST_SLOT + 3] = toolchain.ffi.cast("void *", library.pointer(f"{blas.LETTERS[suffix]}gemm"))
    lib.lazynp_run(slots, toolchain.ffi.new("int64_t[]", [threads, 0, 0, turned, *a.shape[:2], b.shape[2], a.shape[2], half]))
    return out


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_numpys(shape: tuple[int, ...], dtype: str, turned: int) -> None:
    batch, rows, columns, inner = shape
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((batch, rows, inner)).astype(dtype), rng.standard_normal((batch, inner, columns)).astype(dtype)
    found = product(a, b, turned)
    assert np.abs(found - a @ b).max() <= 4 * inner * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b)).max()
    assert np.array_equal(product(a, b, turned, threads=3), found)


@pytest.mark.parametrize("rows", [40, 100, 515])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_product_with_its_own_transpose_is_symmetric(dtype: str, rows: int) -> None:
    a = np.random.default_rng(0).standard_normal((1, rows, 70)).astype(dtype)
    found = product(a, a.transpose(0, 2, 1), half=True)
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))
    np.testing.assert_array_equal(found, product(a, a.transpose(0, 2, 1)))


def test_nans_and_infinities_reach_their_elements_only() -> None:
    a, b = np.ones((1, 40, 40)), np.ones((1, 40, 50))
    a[0, 3, 2], b[0, 1, 7] = np.nan, np.inf
    np.testing.assert_array_equal(product(a, b), a @ b)


@pytest.mark.parametrize(
    ("core", "wanted"),
    [("Haswell", True), ("Zen", True), ("SkylakeX", False), ("Cooperlake", False), ("", False)],
    ids=["Haswell", "Zen", "SkylakeX", "Cooperlake", "another library"],
)
def test_they_are_wanted_where_the_library_has_narrower_vectors(monkeypatch: pytest.MonkeyPatch, core: str, wanted: bool) -> None:
    monkeypatch.setattr(blas, "core_name", lambda: core)
    wide = "-mprefer-vector-width=512" in toolchain.find_compiler().flags
    assert products.wanted() == (wanted and wide)


def test_the_memory_plan_counts_the_blocks_of_products(monkeypatch):
    monkeypatch.setattr(products, "wanted", lambda: True)
    a = np.random.default_rng(2).random((150, 150))
    plan = lazynp.jit(lambda a: a @ a + len("a program of its own"), strict=True).memory_plan(a)
    assert plan.buffers > 0 and plan.buffers % products.packed("f64", (150, 150, 150)) == 0
    assert products.packed("f64", (150, 150, 150)) == (96 + 168) * 150 * 8 < products.packed("f64")
    assert plan.peak == plan.results + plan.temporaries + plan.buffers
    assert lazynp.jit(lambda a: a + 1).memory_plan(a).buffers == 0

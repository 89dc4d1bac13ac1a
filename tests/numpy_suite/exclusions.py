"""What of NumPy's suite says nothing about user-visible numeric behaviour: one table, each row with its reason."""

EXCLUDED: dict[str, str] = {
    "_core/tests/test_argparse.py": "the C argument parser",
    "_core/tests/test_arraymethod.py": "the C structures of casts",
    "_core/tests/test_casting_unittests.py": "the C structures of casts",
    "_core/tests/test_conversion_utils.py": "C converters of arguments",
    "_core/tests/test_cpu_dispatcher.py": "how NumPy was compiled",
    "_core/tests/test_cpu_features.py": "how NumPy was compiled",
    "_core/tests/test_custom_dtypes.py": "dtypes written in C by a test",
    "_core/tests/test_cython.py": "compiles Cython against NumPy's headers",
    "_core/tests/test_extint128.py": "C arithmetic of 128-bit integers",
    "_core/tests/test_hashtable.py": "a C hash table",
    "_core/tests/test_limited_api.py": "compiles C against NumPy's headers",
    "_core/tests/test_mem_policy.py": "C allocators",
    "_core/tests/test_multiarray.py::TestTemporaryElide::test_extension_incref_elide": "C code of the test takes any object for an array",
    "_core/tests/test_multiarray.py::TestTemporaryElide::test_extension_incref_elide_stack": "C code of the test takes any object",
    "_core/tests/test_simd.py": "C vector intrinsics",
    "_core/tests/test_simd_module.py": "C vector intrinsics",
    "_core/tests/test_stringdtype.py": "not numeric: the string dtype, which stays NumPy's",
    "lib/tests/test__datasource.py": "not numeric: downloads of files",
    "lib/tests/test__iotools.py": "not numeric: private helpers that split lines of text",
    "lib/tests/test__version.py": "not numeric: comparison of version strings",
    "random/tests/test_extending.py": "compiles Cython against NumPy's headers",
}
"""File, class or test -> why it is left out."""


def reason(key: str) -> str | None:
    """Why a test is left out; None if it counts."""
    parts = key.partition("#")[0].split("::")
    return next((EXCLUDED[name] for name in ("::".join(parts[:n]) for n in range(1, len(parts) + 1)) if name in EXCLUDED), None)

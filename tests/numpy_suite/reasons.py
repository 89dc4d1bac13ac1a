"""Why the tests that fail on lazynp fail: one row for each root cause, by what the test says or by its name."""

import re

from running import Outcome

REASONS: tuple[tuple[str, str], ...] = (
    (
        "found by this run and mended since: tests/test_numpy_findings_of_values.py has the case",
        r"test_transposed_contiguous_array|test_binary_ufunc_reduce_fuzz|TestImag::test_real|test_where_warns|test_ufunc_at_inner_loops"
        r"|test_logical_ufuncs_support_anything",
    ),
    (
        "an error about values comes when the value is computed; with everything lazy this test never asks for it",
        r"test_large_fancy_indexing|DID NOT RAISE MemoryError|test_dealloc_warning",
    ),
    (
        "a lazy array is pickled by a contiguous copy, whose bytes may go out of band where NumPy's would not",
        r"test_pickle_with_buffercallback|out-of-band",
    ),
    (
        "asks `type(x) is np.ndarray`: results are of NumPy's or of the lazy type; isinstance holds for both",
        r"<class '(numpy|lazynp).ndarray'>|test_test_zero_rank|test_real_imag|test_return_type"
        r"|test_ensure_array|test_squeeze_type|test_attributes|test_for_object_scalar_creation|test_compressed"
        r"|TestMatrixReturn|test_returntype|test_matrix_properties|subtype|test_priority|TestSubclasses"
        r"|TestMemmap|test_subclasses|outer_subclass|test_out_wrap_subok|consistent_subclass|LinalgCase"
        r"|TestQR::test_(stacked|mode)|Field elements|test_non_ndarray_inputs",
    ),
    (
        "C code that takes objects of numpy.ndarray itself: with everything lazy even an argument of three"
        " numbers is lazy; pass numpy.asarray(x)",
        r"argument must be an array|Expected an array|test_void_"
        r"|must be numpy\.ndarray|Cannot convert (numpy\.)?ndarray|SeedSequence expects|test needs ndarray"
        r"|require base class|NeighborhoodIter|bad argument to internal"
        r"|TestCApiAccess|array_indexing|TestSizeOf|output must be an array|Unknown input type"
        r"|return arrays must be of ArrayType|test_permutation_subclass|TestIterNested|nditer"
        r"|test_memory_overlap|TestBroadcast|is ia\.base",
    ),
    (
        "the identity or the reference count of an object: the lazy array and NumPy's array over the same memory are two objects",
        r" is array\(|refcount|hold onto a reference|TestHashing|test_check_reference|test_check_weakref"
        r"|test_dtype_identity|test_n \||TestDiff|test_diff|_nan_mask|_replace_nan|assert_\(res is|res is tgt"
        r"|WritebackIfCopy|test_arg_locking|object_no_unpacking|item_ids|test_einsum_views|test_small_regressions|test_writeable_pickle"
        r"|test_choice_return_shape|test_array_interfaces|test_order_mismatch|test_interface_nullptr|TestNewBufferProtocol",
    ),
    (
        "private texts and types of NumPy's functions: C signatures, docstrings of C functions, the class of its dispatcher",
        r"__text_signature__|__signature__|TextSignatures|ufunc_method_signatures|ufunc_docstring|newdoc"
        r"|_ArrayFunctionDispatcher|test_set_module|nep35|test_function_like|test_sum_on_mock_array"
        r"|test_override_sum|test_array_like|test_load_ufunc_pickle|test_pickle_(withstring|module)|__array_namespace__"
        r"|method_signatures|NDArrayArrayFunction|old_style_pickle|legacy_pickle|chararray|TestRemovedGlobals"
        r"|untyped_warning",
    ),
    (
        "sums of floating-point numbers in another order than NumPy's pairwise one, products and functions of the C library: the last bit",
        r"test_addsumprod|masked_unary_operations|test_start_stop_array"
        r"|test_basic_arithmetic|polyvalfromroots|test_precision|Not equal to tolerance"
        r"|almost equal",
    ),
    (
        "NumPy's private Python functions, called directly or behind numpy.lib, ask isinstance(x, numpy.ndarray)",
        r"TestMergeArrays::test_solo|TestStackArrays::test_solo|TestSubarray::test_shape_sequence|different_depths",
    ),
    (
        "calls the special method of an operator itself, or asks with which keywords a method of a ufunc calls an override",
        r"test_ufunc_binop_interaction|test_ufunc_override_(methods|where|with_super)|test_outer_bad_subclass"
        r"|TestDeprecatedArrayWrap",
    ),
    (
        "a result without axes is a lazy number: type(x) is not NumPy's scalar type",
        r"(TestMatmul|TestMatmulOperator)::test_result_types",
    ),
    (
        "a warning names the operation that was recorded: dot is a matmul",
        r"test_dot_errstate",
    ),
    (
        "the warning of an operation on arrays without axes says `scalar`, as that of NumPy's numbers",
        r"test_float_remainder_corner_cases",
    ),
    (
        "a masked array is reduced along an axis whose number is a lazy array",
        r"test_gh_21022",
    ),
    (
        "bytes of a boolean array that are neither 0 nor 1, written through a view of another dtype",
        r"TestBool::test_count_nonzero",
    ),
    (
        "the attribute cannot be set on lazy arrays",
        r"has no setter|set_stridesattr|TestEmptyField|test_zero_stride|strides_set",
    ),
    (
        "found by this run and mended since: tests/test_layout_in_traces.py has the case",
        r"TestIndexing::test_memory_order",
    ),
    (
        "the alignment of memory that the test lays out itself: with everything lazy an array has memory of its own",
        r"test_various_alignments",
    ),
    (
        "too slow in this harness, or needs more memory than the machine has",
        r"no answer in|_ArrayMemoryError|ArrayMemoryError|crashed",
    ),
    (
        "not supported: nested objects and values that are no numbers, compared with, mixed into or written"
        " over lazy numbers; indexing x.flat by masks",
        r"DID NOT RAISE RuntimeError|object __array__ method|IndexError: boolean indices for iterators"
        r"|StrDType|different_types|scalar_equal|scalar_compare|PyUFunc_O_O|richcompare|object_array|string"
        r"|Object|test_unpack_first_level|no_object_unpacking",
    ),
)
"""(reason, pattern): the first pattern found in the name and the message of a failed test tells its reason."""


def why(test: str, outcome: Outcome | None) -> str:
    """The reason of a failure: the table's, else what the test said."""
    message = "" if outcome is None else outcome.get("message", outcome["outcome"])
    for reason, pattern in REASONS:
        if re.search(pattern, f"{test} | {message}"):
            return reason
    return "not collected" if outcome is None else "a difference not looked into: " + message

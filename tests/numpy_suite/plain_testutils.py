"""numpy.ma.testutils, the helpers of NumPy's own tests, given our arrays as NumPy's: they ask for the type numpy.ndarray."""

from numpy.ma import testutils

from lazynp.testing import on_plain_arrays


def __getattr__(name):
    value = getattr(testutils, name)
    return on_plain_arrays(value) if name.startswith(("assert_", "fail_if", "almost", "approx")) and name != "assert_raises" else value

"""Functions of other packages that ask isinstance(x, numpy.ndarray) and take whatever numpy.asarray makes of x where it is one.

To them a lazy array says that it is NumPy's. In general it must not: compiled code behind such a question would be handed an object whose
memory it cannot read. A function belongs here if its answer is otherwise an error or a wrong value, and if the array gets no further.
"""

import sys

ASKERS = {
    "is_bool_indexer": "pandas.core.common",  # frame[mask], series.loc[mask], frame.iloc[mask] = value
    "is_array_like_deprecate_non_pandas": "pandas.core.dtypes.common",  # the answer is the same, without a warning
    "__setitem__": "pandas.core.frame",
    "_setitem_frame": "pandas.core.frame",
    "_align_for_op": "pandas.core.frame",  # frame * matrix
    "_ensure_arraylike": "pandas.core.algorithms",
    "factorize": "pandas.core.algorithms",
    "get_grouper": "pandas.core.groupby.grouper",  # frame.groupby(labels)
    "_convert_grouper": "pandas.core.groupby.grouper",
    "__init__": "pandas.core.groupby.grouper",
    "<genexpr>": "pandas.core.groupby.grouper",
    "errorbar": "matplotlib.axes._axes",
    "_reshape_2D": "matplotlib.cbook",  # hist, boxplot: else element by element
    "aslinearoperator": "scipy.sparse.linalg._interface",
}
"""Function: its module."""


def is_asked_by_name(depth: int = 2) -> bool:
    """Whether the function at this depth of the stack is one of them."""
    frame = sys._getframe(depth)
    module = ASKERS.get(frame.f_code.co_name)
    return module is not None and frame.f_globals.get("__name__") == module

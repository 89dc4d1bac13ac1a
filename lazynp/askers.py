"""Functions of other packages that ask what a lazy array is, and to which it says something else than it says to everybody.

Some ask isinstance(x, numpy.ndarray) and take whatever numpy.asarray makes of x where it is one. To them a lazy array says that it is
NumPy's. In general it must not: compiled code behind such a question would be handed an object whose memory it cannot read. A
function belongs here if its answer is otherwise an error or a wrong value, and if the array gets no further.

The one who asks is the innermost Python function: isinstance() and compiled functions have no frames, decorators lie further out.
It is known by its module and its qualified name, so that functions of the same name elsewhere are not meant; what is defined in it
(generators, comprehensions) belongs to it.
"""

import dis
import sys
from importlib import import_module
from itertools import islice
from types import CodeType, FrameType
from typing import Any

import numpy as np

ASKERS = {
    "pandas.core.common": {"is_bool_indexer"},  # frame[mask], series.loc[mask], frame.iloc[mask] = value
    "pandas.core.dtypes.common": {"is_array_like_deprecate_non_pandas"},  # the answer is the same, without a warning
    "pandas.core.frame": {"DataFrame.__setitem__", "DataFrame._setitem_frame", "DataFrame._align_for_op"},  # the last: frame * matrix
    "pandas.core.algorithms": {"_ensure_arraylike", "factorize"},
    "pandas.core.groupby.grouper": {"get_grouper", "_convert_grouper", "Grouper.__init__", "Grouping.__init__"},  # frame.groupby(labels)
    "matplotlib.axes._axes": {"Axes.errorbar"},
    "numpy.ctypeslib._ctypeslib": {"_ndptr.from_param"},  # arguments of C functions declared by ndpointer
    "matplotlib.cbook": {"_reshape_2D"},  # hist, boxplot: else element by element
    "scipy.sparse.linalg._interface": {"aslinearoperator"},
    "sklearn.model_selection._search": {"ParameterGrid.__init__"},  # GridSearchCV: lists of values to try
}
"""Module: its functions."""


def takes_bytes_for_numbers(frame: FrameType) -> bool:
    """Whether the frame is calling torch.asarray, which takes an object's buffer, if it has one, for float32 without asking what it holds;
    if it gets none it raises RuntimeError. Others who ask for plain bytes (hashes, files, sockets) want them."""
    if "torch" not in sys.modules or "asarray" not in frame.f_code.co_names:
        return False
    line, _, column, _ = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    named = [i.positions for i in dis.get_instructions(frame.f_code) if i.argval == "asarray"]
    return line is not None and any(at is not None and (at.lineno, at.col_offset) == (line, column) for at in named)


_NAMESPACES = ".array_api_compat.common._helpers"
_LEVELS = 3
"""How far out array_namespace() may stand from the call of __array_namespace__."""


def is_asked_by_name(depth: int = 2) -> bool:
    """Whether the function at this depth of the stack is one of them."""
    frame = sys._getframe(depth)
    code = frame.f_code
    if code.co_name not in _NAMES:  # qualified names are longer to cut than most questions take
        return False
    functions = ASKERS.get(frame.f_globals.get("__name__", ""))
    return functions is not None and _function(code) in functions


def _function(code: CodeType) -> str:
    """The qualified name of the function at the level of a module or class that the code belongs to."""
    return code.co_qualname.partition(".<locals>.")[0]


_INSIDE = {"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>", "<lambda>"}
_NAMES = frozenset({name.rpartition(".")[2] for functions in ASKERS.values() for name in functions} | _INSIDE)


def namespace_for_all(depth: int = 2) -> Any:
    """Where array_namespace(*xs) of array_api_compat asks for the namespace of a lazy array, and has NumPy's arrays among xs too: its
    NumPy, whose functions take both. It knows no other namespace for NumPy's arrays, and small arrays are NumPy's own. Else None."""
    frame = sys._getframe(depth)
    for _ in range(_LEVELS):
        module = "." + frame.f_globals.get("__name__", "")
        if not module.endswith(_NAMESPACES):
            return None
        if frame.f_code.co_name == "array_namespace":
            mixed = any(isinstance(x, np.generic) or issubclass(type(x), np.ndarray) for x in frame.f_locals.get("xs", ()))
            return import_module(module[1:].removesuffix("common._helpers") + "numpy") if mixed else None
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None

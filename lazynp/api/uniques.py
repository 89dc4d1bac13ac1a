"""np.unique of integers. Its result's size depends on the data, so it is computed at once.

NumPy 2.3 and later look every element up in a table of hashes, which takes up to a hundred times as long as sorting: a million integers
of a wide range 980 -> 9 ms."""

from typing import Any

import numpy as np

from lazynp.api.dispatch import FASTER
from lazynp.native import ARRAYS

_LEAST = 1024
"""Elements below which NumPy is as fast."""
_TABLE = 1 << 16
"""Entries of a table of counts that costs nothing; a larger one has at most as many as there are elements."""


def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: Any = None, **options: Any
) -> Any:
    """As numpy.unique."""
    wanted = {"return_index": return_index, "return_inverse": return_inverse, "return_counts": return_counts}
    plain = type(ar) in ARRAYS and ar.dtype.kind in "iu" and ar.dtype.isnative and ar.size >= _LEAST
    if not plain or axis is not None or options.keys() - {"equal_nan"}:
        return np.unique(ar, axis=axis, **wanted, **options)
    flat = ar.ravel()
    low, high = flat.min(), flat.max()
    span = int(high) - int(low) + 1
    if span <= max(flat.size, _TABLE):
        found = _by_counting(flat, low, span, **wanted)
    elif return_index or return_inverse:  # an order of the elements is needed, which NumPy finds in the same way
        return np.unique(ar, axis=axis, **wanted, **options)
    else:
        found = _by_sorting(flat, return_counts)
    if return_inverse:
        place = 1 + return_index
        found = (*found[:place], found[place].reshape(ar.shape), *found[place + 1 :])
    return found if len(found) > 1 else found[0]


def _by_counting(flat: Any, low: Any, span: int, return_index: bool, return_inverse: bool, return_counts: bool) -> tuple[Any, ...]:
    """The results in NumPy's order, by a table with an entry for every integer from `low` on. Differences and values wrap around as they
    must: all results fit their types."""
    places = np.subtract(flat, low, dtype=np.intp, casting="unsafe")
    counts = np.bincount(places, minlength=span)
    present = np.flatnonzero(counts)
    found = [present.astype(flat.dtype) + low]
    if return_index:
        first = np.empty(span, np.intp)
        first[places[::-1]] = np.arange(flat.size - 1, -1, -1)  # of several the last assignment stays
        found.append(first[present])
    if return_inverse:
        ranks = np.empty(span, np.intp)
        ranks[present] = np.arange(present.size)
        found.append(ranks[places])
    return (*found, counts[present]) if return_counts else tuple(found)


def _by_sorting(flat: Any, return_counts: bool) -> tuple[Any, ...]:
    """The values, and how many of each there are."""
    ordered = np.sort(flat)
    fresh = np.empty(flat.size, bool)
    fresh[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    values = ordered[fresh]
    return (values, np.diff(np.append(np.flatnonzero(fresh), flat.size))) if return_counts else (values,)


FASTER[np.unique] = unique

/* What the two files of lazynp._direct share: _direct.c (calls, the module), _results.c (the memory of what they return). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL lazynp_direct_array
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#pragma GCC visibility push(hidden)

/* An array with memory of its own, not filled; a new reference to its type is taken. NULL with an exception. */
PyObject *new_result(PyArray_Descr *type, int axes, const npy_intp *shape, npy_intp bytes);

/* Once, after import_array(): NumPy's handler of that memory, a new reference; None where NumPy has none. NULL with an exception. */
PyObject *prepare_results(void);

#pragma GCC visibility pop

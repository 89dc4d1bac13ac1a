/* What the files of lazynp._direct share: _direct.c (calls, the module), _arguments.c (what calls are given), _results.c (the memory of what
   they return). */

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

enum Kind { ARRAY, SCALAR, STATIC, TUPLE, LIST, DICT };

typedef struct {
    int kind, count; /* count: of a container's members, which follow in the table, or of an array's axes */
    int leaf;        /* its number among the leaves; -1 for containers */
    int type;        /* NumPy's number of an array's type */
    int strided;     /* whether an array's strides are to be these, not those of C order */
    npy_intp shape[NPY_MAXDIMS], strides[NPY_MAXDIMS];
    PyObject *value; /* STATIC: the value; DICT: its keys; borrowed from `kept` */
} Argument;

/* ("array", leaf, dtype, shape, strides | None), ("scalar", leaf, type), ("static", leaf, value), ("tuple" | "list", count), ("dict", keys).
   0: `row` is in `a`; -1: an exception. */
int read_argument(PyObject *row, Argument *a);

/* A tuple of integers; their number, or -1 with an exception. */
int read_shape(PyObject *shape, npy_intp *out);

/* Whether x is a value that the program takes for granted: the same object, or an equal number or text. */
int same_static(PyObject *x, PyObject *value);

/* Whether x fits the table from *at on; fills leaves and moves *at behind what belongs to x. */
int matches(const Argument *table, int *at, PyObject *x, PyObject **leaves, PyTypeObject *watched);

/* The bytes between which an array's elements lie. */
void bounds(PyArrayObject *array, const char **first, const char **last);

#pragma GCC visibility pop

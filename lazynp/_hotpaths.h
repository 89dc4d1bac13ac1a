/* What the two files of lazynp._hotpaths share: _hotpaths.c (small arrays, calls, the module), _present.c (lazy arrays that are there). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <structmember.h>
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL lazynp_hotpaths_array
#define PY_UFUNC_UNIQUE_SYMBOL lazynp_hotpaths_ufunc
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <numpy/ufuncobject.h>

#pragma GCC visibility push(hidden)

typedef struct {
    PyObject_HEAD
    int depth;
    char draws, recording;
} Tracing;

enum Kind { OTHER, SCALAR, ARRAY, WATCHED };

extern Tracing *tracing;
extern Py_ssize_t threshold;
extern PyTypeObject *lazy, WatchedType, BufferType;
extern PyNumberMethods numpys;

enum Kind kind_of(PyObject *x);
int is_small(PyObject *array);
int is_numeric(PyArrayObject *a);
int grows(PyObject *x, PyObject *y);
PyObject *plain_view(PyObject *watched);
PyObject *plain_operand(PyObject *x);
PyObject *handed_out(PyObject *result);

PyObject *connect_items(PyObject *module, PyObject *args);
PyObject *connect_views(PyObject *module, PyObject *function);
PyObject *connect_lines(PyObject *module, PyObject *args);
PyObject *short_call(PyObject *function, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *short_ufunc(PyObject *module, PyObject *const *args, Py_ssize_t n);

#pragma GCC visibility pop

/* What the files of lazynp._hotpaths share: _hotpaths.c (small arrays, calls, the module), _present.c (lazy arrays that are
   there), _short.c (their operations, and where results lie). */

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

/* Of arrays that are there, in _present.c. */
extern PyObject *short_lines, *known_files, *main_queue;
int is_there(PyObject *self);
int is_number(PyObject *self);
int is_free(PyObject *self);
PyObject *values_of(PyObject *self);
int may_be_now(void);
int may_be_short(void);
int is_short(npy_intp most);
int stays_small(PyObject *const *plain, Py_ssize_t n, npy_intp most);
int plain_operands(PyObject *const *args, Py_ssize_t n, PyObject **plain);
PyObject *plain_argument(PyObject *x, npy_intp *most, npy_intp limit, int depth);
PyObject *adopted(PyObject *result);
PyObject *short_index(PyObject *index, npy_intp elements);
int is_view_of(PyObject *result, PyObject *operand);

PyObject *connect_items(PyObject *module, PyObject *args);
PyObject *connect_views(PyObject *module, PyObject *function);
PyObject *connect_lines(PyObject *module, PyObject *args);
PyObject *short_call(PyObject *function, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *begin_keeping(npy_intp bytes);
PyObject *end_keeping(PyObject *before, PyObject *result);
npy_intp bytes_of(PyObject *a, PyObject *b);
npy_intp bytes_asked(PyObject *const *args, Py_ssize_t n);
PyObject *keeping(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *keep_by(PyObject *module, PyObject *handler);
PyObject *short_ufunc(PyObject *module, PyObject *const *args, Py_ssize_t n);

#pragma GCC visibility pop

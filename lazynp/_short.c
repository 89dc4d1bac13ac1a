/* The operations of lazy arrays that are there: products, calls and operators, computed by NumPy where the work is short or the arrays small;
   and where NumPy's results lie.

   What is done here is what lazynp/operators.py and lazynp/api do for them: they are asked wherever this file does not know. */

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include "_hotpaths.h"

/* --- where results lie ------------------------------------------------------------------------------------------------------ */

enum { KEPT = 1 << 17 };  /* operands of fewer bytes make results that malloc has at hand, in less time than it takes to say where they go */
static PyObject *results; /* NumPy's handler of memory that is kept for the next result (_results.c) */

/* Before a call of NumPy's on operands of so many bytes: its results are to lie in kept memory, where malloc would ask the system for each
   of them anew, and most of a sum of 720 kB is the system's work. What end_keeping takes: the handler that was in force, or NULL. */
PyObject *begin_keeping(npy_intp bytes) {
    if (bytes < KEPT || !results) return NULL;
    PyObject *before = PyDataMem_SetHandler(results);
    if (!before) PyErr_Clear();
    return before;
}

/* After the call: its result. */
PyObject *end_keeping(PyObject *before, PyObject *result) {
    if (!before) return result;
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyObject *ours = PyDataMem_SetHandler(before);
    if (!ours) PyErr_Clear();
    PyErr_Restore(type, error, traceback);
    Py_XDECREF(ours);
    Py_DECREF(before);
    return result;
}

/* Of the larger one; b may be NULL. */
npy_intp bytes_of(PyObject *a, PyObject *b) {
    npy_intp bytes = a && PyArray_Check(a) ? PyArray_NBYTES((PyArrayObject *)a) : 0, others = b ? bytes_of(b, NULL) : 0;
    return bytes > others ? bytes : others;
}

/* What a call makes arrays of: the largest of its operands, or as many numbers as it is asked for (a size, a shape). */
npy_intp bytes_asked(PyObject *const *args, Py_ssize_t n) {
    npy_intp most = 0;
    for (Py_ssize_t i = 0; i < n && i < 4; i++) {
        npy_intp bytes = PyArray_Check(args[i]) ? PyArray_NBYTES((PyArrayObject *)args[i]) : 0;
        if (PyLong_CheckExact(args[i])) bytes = PyLong_AsSsize_t(args[i]) > KEPT / 8 ? KEPT : 0;
        if (PyTuple_CheckExact(args[i])) {
            double elements = 1;
            for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args[i]); k++) {
                PyObject *size = PyTuple_GET_ITEM(args[i], k);
                elements *= PyLong_CheckExact(size) ? PyLong_AsDouble(size) : 0;
            }
            bytes = elements > KEPT / 8 ? KEPT : 0;
        }
        if (bytes > most) most = bytes;
    }
    PyErr_Clear();
    return most;
}

/* The same around a call from Python. */
PyObject *keeping(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    if (n < 1) return PyErr_Format(PyExc_TypeError, "keeping() needs a function");
    PyObject *before = begin_keeping(NPY_MAX_INTP);
    return end_keeping(before, PyObject_Vectorcall(args[0], args + 1, n - 1, kwnames));
}

PyObject *keep_by(PyObject *module, PyObject *handler) {
    if (PyCapsule_CheckExact(handler)) Py_XSETREF(results, Py_NewRef(handler));
    Py_RETURN_NONE;
}

/* --- products ------------------------------------------------------------------------------------------------------------------ */

static PyObject *products;  /* the functions that are products of matrices, as dispatch.is_small_product knows them */

static int is_product(PyObject *function) { return products && PySet_Contains(products, function) == 1; }

/* function(a, b), a product of arrays that are there, where the result is small: NumPy's BLAS takes less than recording. No function: the
   operator. NULL without an error: ask Python. */
static PyObject *small_product(PyObject *function, PyObject *a, PyObject *b) {
    PyObject *args[] = {a, b}, *plain[2], *result = NULL;
    npy_intp shared = 1, elements = 1;
    Py_ssize_t count = 0;
    if (!may_be_now()) return NULL;
    for (; count < 2; count++) {
        enum Kind kind = kind_of(args[count]);
        int is_ours = kind == OTHER && is_there(args[count]) && !is_number(args[count]);
        if (!is_ours && kind < ARRAY) break;
        plain[count] = is_ours ? values_of(args[count]) : plain_operand(args[count]);
        if (!plain[count]) break;
        PyArrayObject *array = (PyArrayObject *)plain[count];
        int n = PyArray_NDIM(array);
        if (count == 0 && n && PyArray_DIM(array, n - 1)) shared = PyArray_DIM(array, n - 1);
        elements = n ? elements * (PyArray_SIZE(array) / shared) : threshold;
    }
    if (count == 2 && elements < threshold) {
        result = function ? PyObject_Vectorcall(function, plain, 2, NULL) : numpys.nb_matrix_multiply(plain[0], plain[1]);
        result = handed_out(result);
    }
    while (count) Py_DECREF(plain[--count]);
    return result;
}

/* function(*args, **kwargs) on a short line or of small arrays, for a function of NumPy's; NULL without an error: not on such a line. */
PyObject *short_call(PyObject *function, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0, total = n + named, count = 0;
    PyObject *plain[8], *result = NULL;
    npy_intp most = 0, limit = may_be_short() ? NPY_MAX_INTP : threshold;
    if (total == 2 && n == 2 && is_product(function) && ((result = small_product(function, args[0], args[1])) || PyErr_Occurred())) return result;
    if (!may_be_now() || !n || total > 8) return NULL;
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "out") == 0) return NULL;
    int is_ufunc = PyObject_TypeCheck(function, &PyUFunc_Type);
    if (is_ufunc && n != ((PyUFuncObject *)function)->nin) return NULL; /* outputs among them */
    for (; count < total && (plain[count] = plain_argument(args[count], &most, limit, 1)); count++) {}
    if (count == total && ((is_ufunc ? stays_small(plain, n, most) : most < threshold) || (may_be_short() && is_short(most)))) {
        PyObject *before = begin_keeping(most * (npy_intp)sizeof(double));
        result = end_keeping(before, PyObject_Vectorcall(function, plain, n, kwnames));
        Py_ssize_t same = 0;
        while (result && same < n && !(result == plain[same] && PyArray_Check(result))) same++;
        int is_view = 0;
        for (Py_ssize_t i = 0; result && i < n; i++) is_view |= is_view_of(result, plain[i]);
        if (result && same < n) Py_SETREF(result, Py_NewRef(args[same])); /* a function that converts returns its argument */
        else if (is_view) Py_CLEAR(result);
        else result = adopted(result);
    } else
        PyErr_Clear();
    while (count) Py_DECREF(plain[--count]);
    return result;
}

/* short_ufunc(ufunc, *operands): what NumPy's ufunc makes of them on a short line, or where it is a small product; None elsewhere. */
PyObject *short_ufunc(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    PyObject *plain[4];
    PyUFuncObject *ufunc = n && PyObject_TypeCheck(args[0], &PyUFunc_Type) ? (PyUFuncObject *)args[0] : NULL;
    if (n == 3 && is_product(args[0])) {
        PyObject *product = small_product(args[0], args[1], args[2]);
        if (product || PyErr_Occurred()) return product;
    }
    if (!ufunc || ufunc->nout != 1 || ufunc->nin != n - 1 || n > 5 || !plain_operands(args + 1, n - 1, plain)) Py_RETURN_NONE;
    PyObject *before = begin_keeping(bytes_of(plain[0], n > 2 ? plain[1] : NULL));
    PyObject *result = adopted(end_keeping(before, PyObject_Vectorcall(args[0], plain, n - 1, NULL)));
    while (--n) Py_DECREF(plain[n - 1]);
    return result;
}

static PyNumberMethods pythons; /* the operators of lazynp/operators.py */
static richcmpfunc pythons_compare;

/* An operator as Python finds it: a's method, then b's reflected one. Its own slots would not call them from here. */
static PyObject *by_methods(PyObject *a, PyObject *b, PyObject *forward, PyObject *reflected) {
    PyObject *args[] = {a, b}, *turned[] = {b, a}, *result = NULL;
    if (PyObject_TypeCheck(a, lazy)) result = PyObject_VectorcallMethod(forward, args, 2, NULL);
    else if (PyObject_TypeCheck(b, lazy)) return PyObject_VectorcallMethod(reflected, turned, 2, NULL);
    if (result != Py_NotImplemented || !PyObject_TypeCheck(b, lazy) || Py_TYPE(a) == Py_TYPE(b)) return result;
    Py_DECREF(result);
    return PyObject_VectorcallMethod(reflected, turned, 2, NULL);
}

#define BINARY(slot, method)                                                             \
    static PyObject *forward_##slot, *reflected_##slot;                                  \
    static PyObject *short_##slot(PyObject *a, PyObject *b) {                            \
        PyObject *args[] = {a, b}, *plain[2];                                            \
        if (!plain_operands(args, 2, plain)) return by_methods(a, b, forward_##slot, reflected_##slot); \
        PyObject *before = begin_keeping(bytes_of(plain[0], plain[1]));                  \
        PyObject *result = adopted(end_keeping(before, numpys.nb_##slot(plain[0], plain[1]))); \
        Py_DECREF(plain[0]);                                                             \
        Py_DECREF(plain[1]);                                                             \
        return result;                                                                   \
    }
#define UNARY(slot)                                                                     \
    static PyObject *short_##slot(PyObject *a) {                                         \
        PyObject *plain[1];                                                              \
        if (!plain_operands(&a, 1, plain)) return pythons.nb_##slot(a); \
        PyObject *before = begin_keeping(bytes_of(plain[0], NULL));                      \
        PyObject *result = adopted(end_keeping(before, numpys.nb_##slot(plain[0])));     \
        Py_DECREF(plain[0]);                                                             \
        return result;                                                                   \
    }
#define INPLACE(slot, method)                                                            \
    static PyObject *short_inplace_##slot(PyObject *a, PyObject *b) {                    \
        PyObject *args[] = {a, b}, *plain[2];                                            \
        if (!may_be_now() || !is_there(a) || !is_free(a) || !plain_operands(args, 2, plain)) return pythons.nb_inplace_##slot(a, b); \
        PyObject *result = numpys.nb_inplace_##slot(plain[0], plain[1]);                 \
        if (result == plain[0]) Py_SETREF(result, Py_NewRef(a));                         \
        else result = adopted(result);                                                   \
        Py_DECREF(plain[0]);                                                             \
        Py_DECREF(plain[1]);                                                             \
        return result;                                                                   \
    }
#define BINARIES(_)                                                                                                              \
    _(add, add) _(subtract, sub) _(multiply, mul) _(true_divide, truediv) _(floor_divide, floordiv) _(remainder, mod) _(and, and) \
    _(or, or) _(xor, xor) _(lshift, lshift) _(rshift, rshift)
#define UNARIES(_) _(negative) _(positive) _(absolute) _(invert)

BINARIES(BINARY)
UNARIES(UNARY)
BINARIES(INPLACE)

static PyObject *forward_power, *reflected_power;
static PyObject *short_power(PyObject *a, PyObject *b, PyObject *modulus) {
    PyObject *args[] = {a, b, modulus}, *plain[2];
    if (modulus != Py_None && PyObject_TypeCheck(a, lazy)) return PyObject_VectorcallMethod(forward_power, args, 3, NULL);
    if (modulus != Py_None || !plain_operands(args, 2, plain)) return by_methods(a, b, forward_power, reflected_power);
    PyObject *before = begin_keeping(bytes_of(plain[0], plain[1]));
    PyObject *result = adopted(end_keeping(before, numpys.nb_power(plain[0], plain[1], modulus)));
    Py_DECREF(plain[0]);
    Py_DECREF(plain[1]);
    return result;
}

static PyObject *short_compare(PyObject *a, PyObject *b, int op) {
    PyObject *args[] = {a, b}, *plain[2];
    if (!plain_operands(args, 2, plain)) return pythons_compare(a, b, op);
    PyObject *before = begin_keeping(bytes_of(plain[0], plain[1]));
    PyObject *result = adopted(end_keeping(before, PyArray_Type.tp_richcompare(plain[0], plain[1], op)));
    Py_DECREF(plain[0]);
    Py_DECREF(plain[1]);
    return result;
}

static PyObject *forward_matmul, *reflected_matmul;
static PyObject *short_matmul(PyObject *a, PyObject *b) {
    PyObject *result = small_product(NULL, a, b);
    return result || PyErr_Occurred() ? result : by_methods(a, b, forward_matmul, reflected_matmul);
}

/* The operators of lazy arrays look here first. */
PyObject *connect_lines(PyObject *module, PyObject *args) {
    PyTypeObject *array;
    if (!PyArg_ParseTuple(args, "O!OO!O!O!:connect_lines", &PyType_Type, &array, &main_queue, &PyDict_Type, &short_lines, &PyDict_Type, &known_files,
                          &PyFrozenSet_Type, &products))
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) Py_INCREF(PyTuple_GET_ITEM(args, i));
    lazy = array;
    PyNumberMethods *operators = array->tp_as_number;
    pythons = *operators;
    pythons_compare = array->tp_richcompare;
#define NAME(slot, method)                                                            \
    if (!(forward_##slot = PyUnicode_InternFromString("__" #method "__"))             \
        || !(reflected_##slot = PyUnicode_InternFromString("__r" #method "__")))      \
        return NULL;
#define INSTALL(slot, method) NAME(slot, method) operators->nb_##slot = short_##slot, operators->nb_inplace_##slot = short_inplace_##slot;
#define INSTALL_UNARY(slot) operators->nb_##slot = short_##slot;
    BINARIES(INSTALL)
    UNARIES(INSTALL_UNARY)
    NAME(power, pow)
    NAME(matmul, matmul)
    operators->nb_power = short_power;
    operators->nb_matrix_multiply = short_matmul;
    array->tp_richcompare = short_compare;
    Py_RETURN_NONE;
}

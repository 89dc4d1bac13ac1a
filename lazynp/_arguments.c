/* What the arguments of a call must be, for _direct.c: arrays in tuples, lists and dicts, compared with a table. */

#define NO_IMPORT_ARRAY
#include "_direct.h"

int same_static(PyObject *x, PyObject *value) {
    if (x == value) return 1;
    if (Py_TYPE(x) != Py_TYPE(value)) return 0;
    if (PyFloat_CheckExact(x)) return !memcmp(&((PyFloatObject *)x)->ob_fval, &((PyFloatObject *)value)->ob_fval, sizeof(double));
    if (PyLong_CheckExact(x) || PyUnicode_CheckExact(x)) {
        int same = PyObject_RichCompareBool(x, value, Py_EQ);
        if (same < 0) PyErr_Clear();
        return same > 0;
    }
    return 0;
}

int matches(const Argument *table, int *at, PyObject *x, PyObject **leaves, PyTypeObject *watched) {
    const Argument *a = &table[(*at)++];
    switch (a->kind) {
        case ARRAY: {
            if (Py_TYPE(x) != &PyArray_Type && Py_TYPE(x) != watched) return 0;
            PyArrayObject *array = (PyArrayObject *)x;
            if (PyArray_TYPE(array) != a->type || PyArray_NDIM(array) != a->count) return 0;
            if (!(a->strided ? PyArray_ISBEHAVED(array) : PyArray_ISCARRAY(array))) return 0;
            for (int k = 0; k < a->count; k++)
                if (PyArray_DIM(array, k) != a->shape[k] || (a->strided && PyArray_STRIDE(array, k) != a->strides[k])) return 0;
            leaves[a->leaf] = x;
            return 1;
        }
        case SCALAR:
            leaves[a->leaf] = x;
            return (PyObject *)Py_TYPE(x) == a->value;
        case STATIC:
            if (a->leaf >= 0) leaves[a->leaf] = x;
            return same_static(x, a->value);
        case TUPLE:
        case LIST:
            if (Py_TYPE(x) != (a->kind == TUPLE ? &PyTuple_Type : &PyList_Type) || PySequence_Fast_GET_SIZE(x) != a->count) return 0;
            for (int k = 0; k < a->count; k++)
                if (!matches(table, at, PySequence_Fast_GET_ITEM(x, k), leaves, watched)) return 0;
            return 1;
        default:
            if (!PyDict_CheckExact(x) || PyDict_GET_SIZE(x) != a->count) return 0;
            for (int k = 0; k < a->count; k++) {
                PyObject *member = PyDict_GetItemWithError(x, PyTuple_GET_ITEM(a->value, k));
                if (!member) {
                    PyErr_Clear();
                    return 0;
                }
                if (!matches(table, at, member, leaves, watched)) return 0;
            }
            return 1;
    }
}

void bounds(PyArrayObject *array, const char **first, const char **last) {
    *first = *last = PyArray_BYTES(array);
    if (!PyArray_SIZE(array)) return;
    for (int k = 0; k < PyArray_NDIM(array); k++) {
        const npy_intp extent = (PyArray_DIM(array, k) - 1) * PyArray_STRIDE(array, k);
        *(extent < 0 ? first : last) += extent;
    }
    *last += PyArray_ITEMSIZE(array);
}

int read_shape(PyObject *shape, npy_intp *out) {
    Py_ssize_t n = PyTuple_GET_SIZE(shape);
    if (n > NPY_MAXDIMS) {
        PyErr_SetString(PyExc_ValueError, "Direct: too many axes");
        return -1;
    }
    for (Py_ssize_t k = 0; k < n; k++)
        if ((out[k] = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, k))) == -1 && PyErr_Occurred()) return -1;
    return (int)n;
}

int read_argument(PyObject *row, Argument *a) {
    static const char *names[] = {"array", "scalar", "static", "tuple", "list", "dict"};
    for (a->kind = 0; a->kind <= DICT; a->kind++)
        if (!PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(row, 0), names[a->kind])) break;
    PyObject *first = PyTuple_GET_ITEM(row, 1);
    a->leaf = a->kind <= STATIC ? (int)PyLong_AsLong(first) : -1;
    if (a->kind == ARRAY) {
        a->type = ((PyArray_Descr *)PyTuple_GET_ITEM(row, 2))->type_num;
        a->count = read_shape(PyTuple_GET_ITEM(row, 3), a->shape);
        if ((a->strided = PyTuple_GET_ITEM(row, 4) != Py_None)) read_shape(PyTuple_GET_ITEM(row, 4), a->strides);
    } else if (a->kind == SCALAR || a->kind == STATIC) {
        a->value = PyTuple_GET_ITEM(row, 2);
    } else if (a->kind == DICT) {
        a->value = first;
        a->count = (int)PyTuple_GET_SIZE(first);
    } else {
        a->count = (int)PyLong_AsLong(first);
    }
    return PyErr_Occurred() ? -1 : 0;
}

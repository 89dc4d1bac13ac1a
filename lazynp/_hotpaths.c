/* The hot paths of small arrays, compiled: see lazynp/native.py, which says what each part means and has it in Python too.

   - `tracing`: the one flag that every call looks at.
   - `ndarray`: a NumPy array whose operators notice when their result would be large.
   - `Caller`: a callable that hands small arguments straight to NumPy's function and everything else to a Python one.
   - `Drawer`: the same for draws of random numbers; as an attribute of a class it is a method.
   - `Buffer` (_present.c): base of the lazy array, for the buffer protocol, which classes in Python have only since Python 3.12, and
     for arrays that are there: their items, which programs read and write one by one, and the operations of short lines.

   Nothing here computes: values are always NumPy's or the compiler's. */

#include "_hotpaths.h"

/* --- what Python tells us ----------------------------------------------------------------------------------------------- */

static PyMemberDef tracing_members[] = {
    {"depth", T_INT, offsetof(Tracing, depth), 0, "how many traces are under way, in all threads"},
    {"draws", T_BOOL, offsetof(Tracing, draws), 0, "whether the state of a random generator may be pending"},
    {"recording", T_BOOL, offsetof(Tracing, recording), 0, "whether an operation is being recorded"},
    {NULL},
};
static PyTypeObject TracingType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._hotpaths.Tracing",
    .tp_basicsize = sizeof(Tracing),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_members = tracing_members,
};
Tracing *tracing;

Py_ssize_t threshold = 0;          /* elements from which an array is large: config.lazy_threshold */
enum { WATCHED_FROM = 32 };        /* smaller results are plain: three of them make less than 65536 elements */

static PyObject *adopt;    /* array -> lazynp's array over the same memory */
static PyObject *handed;   /* tuple or list of results -> the same, as lazynp hands them out */
static PyObject *operate;  /* (name of a ufunc, a, b): the operation, recorded */
static PyObject *item;     /* (array, index): array[index], recorded */
PyTypeObject *lazy;        /* the type of lazy arrays */

/* --- what an argument is -------------------------------------------------------------------------------------------------- */

enum Kind kind_of(PyObject *x) {
    PyTypeObject *type = Py_TYPE(x);
    if (type == &PyArray_Type) return ARRAY;
    if (type == &WatchedType) return WATCHED;
    if (type == &PyFloat_Type || type == &PyLong_Type || type == &PyBool_Type || type == &PyComplex_Type || PyArray_IsScalar(x, Number)
        || type == &PyBoolArrType_Type)
        return SCALAR;
    return OTHER;
}

int is_small(PyObject *array) {
    return PyArray_SIZE((PyArrayObject *)array) < threshold;
}

/* Whether NumPy's function can be called with it at once: scalars, small arrays, lists and tuples of such. */
static int is_plain(PyObject *x, int depth) {
    enum Kind kind = kind_of(x);
    if (kind == ARRAY || kind == WATCHED) return is_small(x);
    if (kind == SCALAR || x == Py_None || PyUnicode_CheckExact(x) || Py_TYPE(x) == &PyType_Type || PyArray_DescrCheck(x)) return 1;
    if (!depth || !(PyTuple_CheckExact(x) || PyList_CheckExact(x))) return 0;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(x);
    for (Py_ssize_t i = 0; i < n; i++)
        if (!is_plain(PySequence_Fast_GET_ITEM(x, i), depth - 1)) return 0;
    return 1;
}

/* Whether two arrays broadcast to a large one. Shapes that do not fit are NumPy's business. */
int grows(PyObject *x, PyObject *y) {
    PyArrayObject *a = (PyArrayObject *)x, *b = (PyArrayObject *)y;
    if ((double)PyArray_SIZE(a) * (double)PyArray_SIZE(b) < (double)threshold) return 0;
    int na = PyArray_NDIM(a), nb = PyArray_NDIM(b), n = na > nb ? na : nb;
    double total = 1;
    for (int k = 1; k <= n; k++) {
        npy_intp da = k <= na ? PyArray_DIM(a, na - k) : 1, db = k <= nb ? PyArray_DIM(b, nb - k) : 1;
        if (da != db && da != 1 && db != 1) return 0;
        total *= (double)(da == 1 ? db : da);
    }
    return total >= (double)threshold;
}

PyObject *plain_view(PyObject *watched) {
    return PyArray_View((PyArrayObject *)watched, NULL, &PyArray_Type);
}

/* --- what a result becomes ------------------------------------------------------------------------------------------------ */

int is_numeric(PyArrayObject *a) {
    int type = PyArray_TYPE(a);
    return (type <= NPY_CDOUBLE && type != NPY_LONGDOUBLE) || type == NPY_HALF;
}

/* An array that nobody else has seen yet becomes a watched one in place: the type has the same layout as NumPy's. */
static PyObject *watched_if_new(PyObject *result) {
    if (result && Py_TYPE(result) == &PyArray_Type && Py_REFCNT(result) == 1) {
        PyArrayObject *a = (PyArrayObject *)result;
        npy_intp size = PyArray_SIZE(a);
        if (size >= WATCHED_FROM && size < threshold && is_numeric(a)) Py_SET_TYPE(result, &WatchedType);
    }
    return result;
}

/* A result of NumPy's as lazynp hands it out; takes over the reference. */
PyObject *handed_out(PyObject *result) {
    if (!result) return NULL;
    if (Py_TYPE(result) == &PyArray_Type) {
        if (is_small(result)) return watched_if_new(result);
        PyObject *ours = PyObject_CallOneArg(adopt, result);
        Py_DECREF(result);
        return ours;
    }
    if (PyTuple_CheckExact(result) && Py_REFCNT(result) == 1) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(result); i++) {
            PyObject *part = handed_out(PyTuple_GET_ITEM(result, i));
            PyTuple_SET_ITEM(result, i, part);
            if (!part) {
                Py_DECREF(result);
                return NULL;
            }
        }
        return result;
    }
    if (PyTuple_Check(result) || PyList_CheckExact(result)) {
        PyObject *ours = PyObject_CallOneArg(handed, result);
        Py_DECREF(result);
        return ours;
    }
    return result;
}

/* --- the watched array ---------------------------------------------------------------------------------------------------- */

PyNumberMethods numpys;  /* NumPy's own operators */

/* Operands of an operator: plain views of watched arrays (a subclass costs NumPy 0.4 us per call). */
typedef struct {
    PyObject *a, *b;
} Pair;

PyObject *plain_operand(PyObject *x) {
    if (Py_TYPE(x) == &WatchedType) return plain_view(x);
    Py_INCREF(x);
    return x;
}

static void release(Pair pair) {
    Py_XDECREF(pair.a);
    Py_XDECREF(pair.b);
}

/* 1: NumPy's operator on `pair`; 0: it is `*result` already, or NULL with an error. */
static int prepare(PyObject *a, PyObject *b, const char *ufunc, Pair *pair, PyObject **result) {
    enum Kind ka = kind_of(a), kb = kind_of(b);
    *result = NULL;
    pair->a = pair->b = NULL;
    if (Py_TYPE(a) == lazy || Py_TYPE(b) == lazy) {
        Py_INCREF(Py_NotImplemented);
        *result = Py_NotImplemented;
        return 0;
    }
    if (ka != OTHER && kb != OTHER && !tracing->depth && ufunc) {
        int large = (ka >= ARRAY && !is_small(a)) || (kb >= ARRAY && !is_small(b)) || (ka >= ARRAY && kb >= ARRAY && grows(a, b));
        if (large) {
            *result = PyObject_CallFunction(operate, "sOO", ufunc, a, b);
            return 0;
        }
    }
    pair->a = plain_operand(a);
    pair->b = plain_operand(b);
    if (pair->a && pair->b) return 1;
    release(*pair);
    return 0;
}

#define BINARY(slot, ufunc)                                           \
    static PyObject *watched_##slot(PyObject *a, PyObject *b) {       \
        Pair pair;                                                    \
        PyObject *result;                                             \
        if (!prepare(a, b, ufunc, &pair, &result)) return result;     \
        PyObject *before = begin_keeping(bytes_of(pair.a, pair.b));   \
        result = handed_out(end_keeping(before, numpys.nb_##slot(pair.a, pair.b))); \
        release(pair);                                                \
        return result;                                                \
    }
BINARY(add, "add")
BINARY(subtract, "subtract")
BINARY(multiply, "multiply")
BINARY(remainder, "remainder")
BINARY(divmod, NULL)
BINARY(lshift, "left_shift")
BINARY(rshift, "right_shift")
BINARY(and, "bitwise_and")
BINARY(xor, "bitwise_xor")
BINARY(or, "bitwise_or")
BINARY(floor_divide, "floor_divide")
BINARY(true_divide, "true_divide")
BINARY(matrix_multiply, NULL)

static PyObject *watched_power(PyObject *a, PyObject *b, PyObject *modulus) {
    Pair pair;
    PyObject *result;
    if (!prepare(a, b, "power", &pair, &result)) return result;
    PyObject *before = begin_keeping(bytes_of(pair.a, pair.b));
    result = handed_out(end_keeping(before, numpys.nb_power(pair.a, pair.b, modulus)));
    release(pair);
    return result;
}

/* In place: the result is the array itself. What is not plain (a lazy operand) is left to NumPy's protocols. */
static PyObject *inplace(PyObject *a, PyObject *b, binaryfunc numpy) {
    if (Py_TYPE(a) != &WatchedType || kind_of(b) == OTHER) return numpy(a, b);
    PyObject *view = plain_view(a), *other = plain_operand(b);
    PyObject *result = view && other ? numpy(view, other) : NULL;
    if (result == view) {
        Py_INCREF(a);
        Py_XSETREF(result, a);
    }
    Py_XDECREF(view);
    Py_XDECREF(other);
    return result;
}

#define INPLACE(slot) \
    static PyObject *watched_inplace_##slot(PyObject *a, PyObject *b) { return inplace(a, b, numpys.nb_inplace_##slot); }
INPLACE(add)
INPLACE(subtract)
INPLACE(multiply)
INPLACE(remainder)
INPLACE(lshift)
INPLACE(rshift)
INPLACE(and)
INPLACE(xor)
INPLACE(or)
INPLACE(floor_divide)
INPLACE(true_divide)

#define UNARY(slot)                                         \
    static PyObject *watched_##slot(PyObject *a) {          \
        PyObject *view = plain_view(a);                     \
        if (!view) return NULL;                             \
        PyObject *before = begin_keeping(bytes_of(view, NULL)); \
        PyObject *result = handed_out(end_keeping(before, numpys.nb_##slot(view))); \
        Py_DECREF(view);                                    \
        return result;                                      \
    }
UNARY(negative)
UNARY(positive)
UNARY(absolute)
UNARY(invert)

static PyObject *watched_compare(PyObject *a, PyObject *b, int op) {
    static const char *ufuncs[] = {[Py_LT] = "less", [Py_LE] = "less_equal", [Py_EQ] = "equal", [Py_NE] = "not_equal", [Py_GT] = "greater", [Py_GE] = "greater_equal"};
    Pair pair;
    PyObject *result;
    if (!prepare(a, b, ufuncs[op], &pair, &result)) return result;
    PyObject *before = begin_keeping(bytes_of(pair.a, pair.b));
    result = handed_out(end_keeping(before, PyArray_Type.tp_richcompare(pair.a, pair.b, op)));
    release(pair);
    return result;
}

static PyObject *watched_repr(PyObject *self) {
    PyObject *view = plain_view(self);
    PyObject *text = view ? PyObject_Repr(view) : NULL;
    Py_XDECREF(view);
    return text;
}

static Py_hash_t watched_hash(PyObject *self) {
    PyErr_SetString(PyExc_TypeError, "unhashable type: 'numpy.ndarray'");
    return -1;
}

static int picks_elements(PyObject *key) {
    if (PyTuple_CheckExact(key)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); i++)
            if (picks_elements(PyTuple_GET_ITEM(key, i))) return 1;
        return 0;
    }
    return PyArray_Check(key) || PyList_Check(key) || Py_TYPE(key) == lazy;
}

/* Views are NumPy's own, watched like the array; a selection of elements is a new array. */
static PyObject *watched_subscript(PyObject *self, PyObject *key) {
    if (!picks_elements(key)) return PyArray_Type.tp_as_mapping->mp_subscript(self, key);
    if (!tracing->depth && Py_TYPE(key) == lazy) {
        PyObject *plain = short_index(key, PyArray_SIZE((PyArrayObject *)self)), *picked = NULL;
        if (!plain) return PyObject_CallFunctionObjArgs(item, self, key, NULL);
        PyObject *before = begin_keeping(bytes_of(plain, NULL));
        picked = adopted(end_keeping(before, PyArray_Type.tp_as_mapping->mp_subscript(self, plain)));
        Py_DECREF(plain);
        return picked;
    }
    PyObject *view = plain_view(self);
    if (!view) return NULL;
    PyObject *before = begin_keeping(bytes_of(view, NULL));
    PyObject *result = handed_out(end_keeping(before, PyArray_Type.tp_as_mapping->mp_subscript(view, key)));
    Py_DECREF(view);
    return result;
}

/* view.name(...) for a method that does not hand out views. */
static PyObject *by_view(PyObject *self, PyObject *name, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    Py_ssize_t total = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *stack[16];
    if (total > 14) return PyErr_Format(PyExc_TypeError, "%U() got %zd arguments", name, total);
    stack[1] = plain_view(self);
    if (!stack[1]) return NULL;
    for (Py_ssize_t i = 0; i < total; i++) stack[2 + i] = args[i];
    PyObject *before = begin_keeping(bytes_of(stack[1], NULL));
    PyObject *result = end_keeping(before, PyObject_VectorcallMethod(name, stack + 1, (n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames));
    if (result == stack[1]) {
        Py_INCREF(self);
        Py_SETREF(result, self);
        Py_DECREF(stack[1]);
        return result;
    }
    Py_DECREF(stack[1]);
    return handed_out(result);
}

#define METHODS(_)                                                                                                                       \
    _(all) _(any) _(argmax) _(argmin) _(argsort) _(astype) _(clip) _(conj) _(conjugate) _(copy) _(cumprod) _(cumsum) _(dot) _(max)       \
    _(mean) _(min) _(nonzero) _(prod) _(repeat) _(round) _(searchsorted) _(std) _(sum) _(take) _(tobytes) _(tolist) _(trace) _(var)      \
    _(__reduce__) _(__reduce_ex__)
#define METHOD(name)                                                                                                         \
    static PyObject *name_##name;                                                                                            \
    static PyObject *method_##name(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {                 \
        return by_view(self, name_##name, args, n, kwnames);                                                                 \
    }
METHODS(METHOD)
#define METHOD_ROW(name) {#name, (PyCFunction)(void (*)(void))method_##name, METH_FASTCALL | METH_KEYWORDS, NULL},

/* What other packages compute with NumPy's functions is a plain array, as from a plain array. */
static PyObject *array_wrap(PyObject *self, PyObject *args) {
    PyObject *array, *context = NULL;
    int as_scalar = 0;
    if (!PyArg_ParseTuple(args, "O|Op:__array_wrap__", &array, &context, &as_scalar)) return NULL;
    Py_INCREF(array);
    return as_scalar && PyArray_CheckExact(array) ? PyArray_Return((PyArrayObject *)array) : array;
}

static PyMethodDef watched_methods[] = {METHODS(METHOD_ROW){"__array_wrap__", array_wrap, METH_VARARGS, NULL}, {NULL}};

/* The type of the types of arrays that are not numpy.ndarray itself. They hash as it does, so that a table by type that names `np.ndarray`
(functools.singledispatch, a dict) has all of them; every array is an instance of the type of a watched one (`isinstance(b, type(a))`). */
static Py_hash_t hash_of_array_type(PyObject *type) { return PyObject_Hash((PyObject *)&PyArray_Type); }

static PyObject *is_instance(PyObject *type, PyObject *x) {
    if (type != (PyObject *)&WatchedType) return PyBool_FromLong(PyType_IsSubtype(Py_TYPE(x), (PyTypeObject *)type));
    return PyBool_FromLong(PyArray_Check(x) || Py_TYPE(x) == lazy || PyObject_HasAttrString((PyObject *)Py_TYPE(x), "is_lazynp_array"));
}

static PyMethodDef array_meta_methods[] = {{"__instancecheck__", is_instance, METH_O, NULL}, {NULL}};

static PyTypeObject ArrayMetaType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._hotpaths.ArrayMeta",
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_hash = hash_of_array_type,
    .tp_methods = array_meta_methods,
};

static PyNumberMethods watched_number;
static PyMappingMethods watched_mapping;
PyTypeObject WatchedType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "numpy.ndarray", /* in errors and in print(type(x)), as in NumPy */
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_as_number = &watched_number,
    .tp_as_mapping = &watched_mapping,
    .tp_richcompare = watched_compare,
    .tp_hash = watched_hash,
    .tp_repr = watched_repr,
    .tp_methods = watched_methods,
};

static int ready_watched(void) {
    numpys = *PyArray_Type.tp_as_number;
    watched_number = numpys;
#define SET(slot) watched_number.nb_##slot = watched_##slot;
    SET(add) SET(subtract) SET(multiply) SET(remainder) SET(divmod) SET(power) SET(lshift) SET(rshift) SET(and) SET(xor) SET(or)
    SET(floor_divide) SET(true_divide) SET(matrix_multiply) SET(negative) SET(positive) SET(absolute) SET(invert)
    SET(inplace_add) SET(inplace_subtract) SET(inplace_multiply) SET(inplace_remainder) SET(inplace_lshift) SET(inplace_rshift)
    SET(inplace_and) SET(inplace_xor) SET(inplace_or) SET(inplace_floor_divide) SET(inplace_true_divide)
    watched_mapping = *PyArray_Type.tp_as_mapping;
    watched_mapping.mp_subscript = watched_subscript;
#define NAME(name) \
    if (!(name_##name = PyUnicode_InternFromString(#name))) return -1;
    METHODS(NAME)
    ArrayMetaType.tp_base = &PyType_Type;
    ArrayMetaType.tp_richcompare = PyType_Type.tp_richcompare;
    if (PyType_Ready(&ArrayMetaType) < 0) return -1;
    Py_SET_TYPE(&WatchedType, &ArrayMetaType);
    WatchedType.tp_base = &PyArray_Type;
    WatchedType.tp_basicsize = PyArray_Type.tp_basicsize;
    return PyType_Ready(&WatchedType);
}

/* --- the caller ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *numpy, *general;
    char broadcasts; /* a ufunc: the result is as large as its operands broadcast together */
    char method;     /* of a Drawer: the first argument is the generator */
} Caller;

/* A function that converts (asarray) makes a plain array of a watched one; where it would have returned a plain array itself, this does. */
static PyObject *itself(PyObject *result, PyObject *argument) {
    if (!result || Py_TYPE(result) != &PyArray_Type || Py_TYPE(argument) != &WatchedType) return result;
    PyArrayObject *a = (PyArrayObject *)result, *b = (PyArrayObject *)argument;
    int n = PyArray_NDIM(a);
    if (PyArray_BASE(a) != argument || PyArray_DATA(a) != PyArray_DATA(b) || n != PyArray_NDIM(b) || PyArray_DESCR(a) != PyArray_DESCR(b)
        || PyArray_FLAGS(a) != (PyArray_FLAGS(b) & ~NPY_ARRAY_OWNDATA) || !PyArray_CompareLists(PyArray_DIMS(a), PyArray_DIMS(b), n)
        || !PyArray_CompareLists(PyArray_STRIDES(a), PyArray_STRIDES(b), n))
        return result;
    Py_DECREF(result);
    Py_INCREF(argument);
    return argument;
}

static PyObject *call_numpy(Caller *self, PyObject *const *args, Py_ssize_t n, Py_ssize_t total, PyObject *kwnames) {
    PyObject *stack[8], *views[8];
    int count = 0;
    if (!self->broadcasts || total > 7) {
        PyObject *result = PyObject_Vectorcall(self->numpy, args, n, kwnames);
        return n ? itself(result, args[0]) : result;
    }
    PyObject *result = NULL;
    for (Py_ssize_t i = 0; i < total; i++) {
        stack[i] = args[i];
        views[i] = NULL;
        if (Py_TYPE(args[i]) != &WatchedType) continue;
        if (!(views[i] = stack[i] = plain_view(args[i]))) goto done;
        count++;
    }
    result = PyObject_Vectorcall(self->numpy, stack, n, kwnames);
    if (count && result)
        for (Py_ssize_t i = 0; i < total; i++)
            if (result == views[i]) { /* NumPy returns `out` itself */
                Py_INCREF(args[i]);
                Py_SETREF(result, args[i]);
                break;
            }
done:
    for (Py_ssize_t i = 0; count && i < total; i++)
        if (Py_TYPE(args[i]) == &WatchedType) Py_XDECREF(views[i]);
    return result;
}

static PyObject *call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *kwnames) {
    Caller *self = (Caller *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(flags), total = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    if (tracing->depth) goto general;
    for (Py_ssize_t i = 0; i < total; i++)
        if (!is_plain(args[i], 2)) goto general;
    if (self->broadcasts && n == 2 && kind_of(args[0]) >= ARRAY && kind_of(args[1]) >= ARRAY && grows(args[0], args[1])) goto general;
    PyObject *before = begin_keeping(bytes_asked(args, n));
    return handed_out(end_keeping(before, call_numpy(self, args, n, total, kwnames)));
general:;
    PyObject *result = short_call(self->numpy, args, n, kwnames);
    if (result || PyErr_Occurred()) return result;
    return watched_if_new(PyObject_Vectorcall(self->general, args, flags, kwnames));
}

static PyObject *draw(PyObject *callable, PyObject *const *args, size_t flags, PyObject *kwnames) {
    Caller *self = (Caller *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(flags), total = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    if (tracing->depth || tracing->draws) goto general;
    for (Py_ssize_t i = self->method; i < total; i++)
        if (!is_plain(args[i], 2)) goto general;
    PyObject *before = begin_keeping(bytes_asked(args + self->method, total - self->method));
    return handed_out(end_keeping(before, PyObject_Vectorcall(self->numpy, args, n, kwnames)));
general:
    return PyObject_Vectorcall(self->general, args, flags, kwnames);
}

static int caller_traverse(Caller *self, visitproc visit, void *arg) {
    Py_VISIT(self->numpy);
    Py_VISIT(self->general);
    return 0;
}

static int caller_clear(Caller *self) {
    Py_CLEAR(self->numpy);
    Py_CLEAR(self->general);
    return 0;
}

static void caller_dealloc(Caller *self) {
    PyObject_GC_UnTrack(self);
    caller_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int caller_init(Caller *self, PyObject *args, PyObject *kwargs) {
    PyObject *numpy, *general;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OO:Caller", &numpy, &general)) return -1;
    Py_INCREF(general);
    Py_XSETREF(self->general, general);
    Py_INCREF(numpy);
    Py_XSETREF(self->numpy, numpy);
    self->broadcasts = PyObject_TypeCheck(numpy, &PyUFunc_Type);
    self->call = call;
    return 0;
}

static PyMemberDef caller_members[] = {
    {"numpy", T_OBJECT_EX, offsetof(Caller, numpy), READONLY, "NumPy's function"},
    {"general", T_OBJECT_EX, offsetof(Caller, general), READONLY, "what is called for lazy or large arguments, and in a trace"},
    {NULL},
};
static PyTypeObject CallerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._hotpaths.Caller",
    .tp_doc = "Caller(numpy, general)",
    .tp_basicsize = sizeof(Caller),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Caller, call),
    .tp_call = PyVectorcall_Call,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)caller_init,
    .tp_dealloc = (destructor)caller_dealloc,
    .tp_traverse = (traverseproc)caller_traverse,
    .tp_clear = (inquiry)caller_clear,
    .tp_members = caller_members,
};

static int drawer_init(Caller *self, PyObject *args, PyObject *kwargs) {
    PyObject *pair = PyTuple_GetSlice(args, 0, 2);
    int failed = !pair || PyTuple_GET_SIZE(args) != 3 || caller_init(self, pair, kwargs) < 0, method;
    Py_XDECREF(pair);
    if (failed) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "Drawer() takes numpy, general, method");
        return -1;
    }
    if ((method = PyObject_IsTrue(PyTuple_GET_ITEM(args, 2))) < 0) return -1;
    self->method = (char)method;
    self->call = draw;
    return 0;
}

static PyObject *drawer_get(PyObject *self, PyObject *instance, PyObject *owner) {
    if (instance && ((Caller *)self)->method) return PyMethod_New(self, instance);
    Py_INCREF(self);
    return self;
}

static PyTypeObject DrawerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._hotpaths.Drawer",
    .tp_doc = "Drawer(numpy, general, method)",
    .tp_basicsize = sizeof(Caller),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_base = &CallerType,
    .tp_vectorcall_offset = offsetof(Caller, call),
    .tp_call = PyVectorcall_Call,
    .tp_init = (initproc)drawer_init,
    .tp_descr_get = drawer_get,
    .tp_dealloc = (destructor)caller_dealloc,
    .tp_traverse = (traverseproc)caller_traverse,
    .tp_clear = (inquiry)caller_clear,
};

/* --- the module ------------------------------------------------------------------------------------------------------------ */

static PyObject *set_threshold(PyObject *module, PyObject *elements) {
    Py_ssize_t value = PyLong_AsSsize_t(elements);
    if (value == -1 && PyErr_Occurred()) return NULL;
    threshold = value;
    Py_RETURN_NONE;
}

static PyObject *connect(PyObject *module, PyObject *args) {
    PyObject *type;
    if (!PyArg_ParseTuple(args, "O!OOOO:connect", &PyType_Type, &type, &adopt, &handed, &operate, &item)) return NULL;
    lazy = (PyTypeObject *)type;
    lazy->tp_name = "numpy.ndarray"; /* what messages call its objects; its __name__ and __module__ are kept elsewhere */
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) Py_INCREF(PyTuple_GET_ITEM(args, i));
    Py_RETURN_NONE;
}

/* Python 3.11 does not hand the flag down to classes written in Python, although their calls are the base's. */
static PyObject *called_directly(PyObject *module, PyObject *type) {
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &CallerType) || ((PyTypeObject *)type)->tp_call != PyVectorcall_Call)
        return PyErr_Format(PyExc_TypeError, "called_directly: not a subclass of Caller without a __call__ of its own");
    ((PyTypeObject *)type)->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    Py_INCREF(type);
    return type;
}

static PyObject *fresh(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    if (n < 1) return PyErr_Format(PyExc_TypeError, "fresh() needs a function");
    return handed_out(PyObject_Vectorcall(args[0], args + 1, n - 1, kwnames));
}

static PyMethodDef functions[] = {
    {"set_threshold", set_threshold, METH_O, "set_threshold(elements): from how many elements an array is large"},
    {"connect", connect, METH_VARARGS, "connect(type of lazy arrays, adopt, handed_out, operate, item): what this module calls"},
    {"connect_items", connect_items, METH_VARARGS, "connect_items(types of lazy arrays, storages, ArrayType, Step, slice, permute, read, write): items of lazy arrays"},
    {"connect_views", connect_views, METH_O, "connect_views(transpose): x.T of lazy arrays that are not there"},
    {"connect_lines", connect_lines, METH_VARARGS, "connect_lines(type of lazy arrays, queue, short positions, known files, products): operations of short lines"},
    {"called_directly", called_directly, METH_O, "called_directly(cls): a class decorator that makes the calls of a subclass of Caller fast"},
    {"fresh", (PyCFunction)(void (*)(void))fresh, METH_FASTCALL | METH_KEYWORDS, "fresh(function, *args, **kwargs): its new arrays as lazynp hands them out"},
    {"keep_by", keep_by, METH_O, "keep_by(handler): where the results of large operands lie; None: anywhere"},
    {"keeping", (PyCFunction)(void (*)(void))keeping, METH_FASTCALL | METH_KEYWORDS, "keeping(function, *args, **kwargs): its result; new arrays lie in kept memory"},
    {"short_ufunc", (PyCFunction)(void (*)(void))short_ufunc, METH_FASTCALL, "short_ufunc(ufunc, *operands): its result on a short line, else None"},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "lazynp._hotpaths", "The hot paths of small arrays, compiled.", -1, functions};

PyMODINIT_FUNC PyInit__hotpaths(void) {
    import_array();
    import_umath();
    PyObject *module = PyModule_Create(&definition);
    if (!module || PyType_Ready(&TracingType) < 0 || PyType_Ready(&CallerType) < 0 || PyType_Ready(&DrawerType) < 0 || PyType_Ready(&BufferType) < 0
        || ready_watched() < 0)
        return NULL;
    if (!(tracing = PyObject_New(Tracing, &TracingType))) return NULL;
    tracing->depth = tracing->draws = tracing->recording = 0;
    if (PyModule_AddObjectRef(module, "tracing", (PyObject *)tracing) < 0 || PyModule_AddObjectRef(module, "Caller", (PyObject *)&CallerType) < 0
        || PyModule_AddObjectRef(module, "Drawer", (PyObject *)&DrawerType) < 0
        || PyModule_AddObjectRef(module, "Buffer", (PyObject *)&BufferType) < 0
        || PyModule_AddObjectRef(module, "ArrayMeta", (PyObject *)&ArrayMetaType) < 0
        || PyModule_AddObjectRef(module, "ndarray", (PyObject *)&WatchedType) < 0)
        return NULL;
    return module;
}

/* Calls of compiled functions without Python in between: see `Direct` and `Dispatch` in lazynp/native.py, which say what they mean.

   A `Direct` is one signature of a jitted function with everything that its calls have in common: what the arguments must be, a table of
   slots and sizes for the program, and what the results are. A `Dispatch` is the function: it tries its Directs and else calls `slow`. */

#define _GNU_SOURCE /* CPU_COUNT */
#include "_direct.h"
#ifdef __linux__
#include <sched.h>
#endif
#include <stddef.h>
#include <structmember.h>
#define SPECIAL 0x7FFFFFFE /* error codes from here on are signals and lack of memory: program.py, interrupts.py */

static PyTypeObject *watched; /* lazynp._hotpaths.ndarray */
static PyObject *tracing;     /* lazynp._hotpaths.tracing; its one member follows the header */
static int enabled = 1;
static unsigned long long runs;

typedef struct {
    PyObject_HEAD
    int depth;
} Tracing;

enum { MOST_LEAVES = 64, MOST_SLOTS = 128, MOST_SIZES = 64, MOST_OUTPUTS = 16, DIRECTS = 8 };
enum { ERRORS, ARENA };   /* slots; see backends/program.py */
enum { THREADS, SEGMENT, WORK };

/* --- a signature ------------------------------------------------------------------------------------------------------------ */

typedef struct {
    int slot, leaf, type;
    npy_intp begins; /* bytes from an array's first element to the memory that the program is given */
} Input;
typedef struct {
    int slot;
    PyObject *array; /* borrowed from `kept` */
    npy_intp bytes;
} Outside;
typedef struct {
    int slot, axes;
    npy_intp shape[NPY_MAXDIMS], bytes;
    PyArray_Descr *type; /* borrowed from `kept` */
    PyObject *shape_object;
} Output;

typedef int64_t (*Entry)(void **slots, const int64_t *dims);

typedef struct {
    PyObject_HEAD
    PyObject *kept; /* the tuple of everything below that is Python's */
    Entry entry;
    int slots, sizes, arguments, inputs, outsides, outputs, leaves, doubt;
    npy_intp arena, large; /* bytes of the temporaries; bytes from which on `empty` makes a result */
    long long work;  /* the elements of the largest kernel; 0: it never asks for threads */
    void **slot;
    int64_t *size;
    Argument *argument;
    Input *input;
    Outside *outside;
    Output *output;
    PyObject *form;  /* what the function returns (see `filled`); None: what `result` makes of all */
    PyObject *guards, *writes, *result, *after, *settings, *threads, *empty, *take, *give; /* borrowed from `kept`, as form is */
} Direct;

/* Whether a list has these members. */
static int has_members(PyObject *list, PyObject *members) {
    if (PyList_GET_SIZE(list) != PyTuple_GET_SIZE(members)) return 0;
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(list); k++)
        if (!same_static(PyList_GET_ITEM(list, k), PyTuple_GET_ITEM(members, k))) return 0;
    return 1;
}

/* Whether a dictionary has these keys, in this order. */
static int has_keys(PyObject *dictionary, PyObject *keys) {
    PyObject *key, *value;
    Py_ssize_t at = 0, k = 0;
    if (PyDict_GET_SIZE(dictionary) != PyTuple_GET_SIZE(keys)) return 0;
    while (PyDict_Next(dictionary, &at, &key, &value))
        if (!same_static(key, PyTuple_GET_ITEM(keys, k++))) return 0;
    return 1;
}

/* Whether an array has these bytes, and is of this shape and dtype. */
static int has_bytes(PyArrayObject *array, PyObject *bytes, PyObject *shape, PyObject *dtype) {
    if ((PyObject *)PyArray_DESCR(array) != dtype || PyArray_NDIM(array) != PyTuple_GET_SIZE(shape) || !PyArray_IS_C_CONTIGUOUS(array)) return 0;
    for (int k = 0; k < PyArray_NDIM(array); k++)
        if (PyArray_DIM(array, k) != PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, k))) return 0;
    return !memcmp(PyArray_DATA(array), PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
}

/* Whether what the trace read is still the same: (cell, value), (list, members), (dictionary, keys), (dictionary, key, value), (array, bytes,
   shape, dtype), or (read, name, value). -1: an exception. */
static int holds(PyObject *guards) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(guards); k++) {
        PyObject *guard = PyTuple_GET_ITEM(guards, k), *where = PyTuple_GET_ITEM(guard, 0), *what = PyTuple_GET_ITEM(guard, 1), *now;
        if (PyCell_Check(where)) {
            if (!(now = PyCell_GET(where)) || !same_static(now, what)) return 0;
        } else if (PyList_CheckExact(where)) {
            if (!has_members(where, what)) return 0;
        } else if (PyArray_Check(where)) {
            if (!has_bytes((PyArrayObject *)where, what, PyTuple_GET_ITEM(guard, 2), PyTuple_GET_ITEM(guard, 3))) return 0;
        } else if (PyDict_CheckExact(where) && PyTuple_GET_SIZE(guard) == 2) {
            if (!has_keys(where, what)) return 0;
        } else if (PyDict_CheckExact(where)) {
            now = PyDict_GetItemWithError(where, what);
            if (!now && PyErr_Occurred()) return -1;
            if (!same_static(now ? now : Py_None, PyTuple_GET_ITEM(guard, 2))) return 0;
        } else {
            if (!(now = PyObject_CallOneArg(where, what))) return -1;
            int same = same_static(now, PyTuple_GET_ITEM(guard, 2));
            Py_DECREF(now);
            if (!same) return 0;
        }
    }
    return 1;
}

/* Whether an array that is written to shares memory with another argument, or an array from outside is not what it was. */
static int collides(const Direct *d, PyObject **leaves) {
    for (int k = 0; k < d->outsides; k++) {
        PyArrayObject *array = (PyArrayObject *)d->outside[k].array;
        if (!PyArray_ISCARRAY_RO(array) || PyArray_NBYTES(array) != d->outside[k].bytes) return 1;
    }
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(d->writes); k++) {
        long written = PyLong_AsLong(PyTuple_GET_ITEM(d->writes, k));
        const char *first, *last, *begin, *end;
        bounds((PyArrayObject *)leaves[written], &first, &last);
        for (int other = 0; other < d->leaves + d->outsides; other++) {
            PyObject *x = other < d->leaves ? leaves[other] : d->outside[other - d->leaves].array;
            if (other == written || !PyArray_Check(x)) continue;
            bounds((PyArrayObject *)x, &begin, &end);
            if (begin < last && first < end) return 1;
        }
    }
    return 0;
}

/* --- memory ---------------------------------------------------------------------------------------------------------------- */

enum { ARENAS = 4, SMALL_ARENA = 1 << 20, PAGE = 4096 };
static void *arenas[ARENAS];
static npy_intp arena_sizes[ARENAS];
static int kept_arenas;

/* Memory for temporaries, and a page to begin them where a page begins (see aligned() in backends/pool.py): what an earlier call gave back
   if it is large enough. The GIL protects the store. */
static void *small_arena(npy_intp *size) {
    if (kept_arenas) {
        void *memory = arenas[--kept_arenas];
        if (arena_sizes[kept_arenas] >= *size) {
            *size = arena_sizes[kept_arenas];
            return memory;
        }
        PyMem_RawFree(memory);
    }
    return PyMem_RawMalloc(*size + PAGE);
}

static void give_back(void *memory, npy_intp size) {
    if (kept_arenas == ARENAS) {
        PyMem_RawFree(memory);
        return;
    }
    arenas[kept_arenas] = memory;
    arena_sizes[kept_arenas++] = size;
}

static PyObject *new_output(const Direct *d, const Output *o) {
    if (o->bytes >= d->large) return PyObject_CallFunctionObjArgs(d->empty, o->shape_object, (PyObject *)o->type, NULL);
    return new_result(o->type, o->axes, o->shape, o->bytes);
}

static void *scalar_memory(PyObject *scalar, int type) {
    switch (type) {
        case NPY_DOUBLE: return &PyArrayScalar_VAL(scalar, Double);
        case NPY_FLOAT: return &PyArrayScalar_VAL(scalar, Float);
        case NPY_HALF: return &PyArrayScalar_VAL(scalar, Half);
        case NPY_CDOUBLE: return &PyArrayScalar_VAL(scalar, CDouble);
        default: return &PyArrayScalar_VAL(scalar, CFloat);
    }
}

static PyObject *list_of(PyObject **values, int n) {
    PyObject *list = PyList_New(n);
    for (int k = 0; list && k < n; k++) {
        Py_INCREF(values[k]);
        PyList_SET_ITEM(list, k, values[k]);
    }
    return list;
}

static PyObject *name_slow, *name_threshold;

/* --- a call ---------------------------------------------------------------------------------------------------------------- */

/* Threads that the kernels may use, and the number of elements from which they do. 0 with an exception. */
static int threads_of(const Direct *d, int64_t *dims) {
    dims[THREADS] = 1;
    if (!d->work) return 1;
    PyObject *least = PyObject_GetAttr(d->settings, name_threshold);
    if (!least) return 0;
    dims[WORK] = PyLong_AsLongLong(least);
    Py_DECREF(least);
    if (d->work * 4 > dims[WORK]) {
        PyObject *count = PyObject_CallNoArgs(d->threads);
        if (!count) return 0;
        dims[THREADS] = PyLong_AsLongLong(count);
        Py_DECREF(count);
    }
    return !PyErr_Occurred();
}

/* A view of an output: (its number, bytes to the first element, shape, strides, writeable), a tuple of a type of its own. */
static PyObject *shown(PyObject *form, PyObject **outputs) {
    PyArrayObject *whole = (PyArrayObject *)outputs[PyLong_AS_LONG(PyTuple_GET_ITEM(form, 0))];
    npy_intp shape[NPY_MAXDIMS], strides[NPY_MAXDIMS];
    const int axes = read_shape(PyTuple_GET_ITEM(form, 2), shape);
    if (axes < 0 || read_shape(PyTuple_GET_ITEM(form, 3), strides) < 0) return NULL;
    char *data = PyArray_BYTES(whole) + PyLong_AsSsize_t(PyTuple_GET_ITEM(form, 1));
    const int flags = PyTuple_GET_ITEM(form, 4) == Py_True ? NPY_ARRAY_WRITEABLE : 0;
    Py_INCREF(PyArray_DESCR(whole));
    PyObject *view = PyArray_NewFromDescr(&PyArray_Type, PyArray_DESCR(whole), axes, shape, strides, data, flags, NULL);
    if (view) {
        Py_INCREF(whole);
        if (PyArray_SetBaseObject((PyArrayObject *)view, (PyObject *)whole) < 0) Py_CLEAR(view); /* took the reference */
    }
    return view;
}

/* Tuples, lists and dicts like those of `form`, with what its leaves say: k, the output k; -1 - k, its one element as a number of Python's;
   a cell, what is in it; a tuple of another type, a view of an output; slice(a, b, c), what a says where c says something true, else what
   b says. */
static PyObject *filled(PyObject *form, PyObject **outputs) {
    if (PyLong_CheckExact(form)) {
        const long k = PyLong_AS_LONG(form);
        PyArrayObject *array = (PyArrayObject *)outputs[k < 0 ? -1 - k : k];
        if (k < 0) return PyArray_GETITEM(array, PyArray_DATA(array));
        Py_INCREF(array);
        return PyArray_Return(array);
    }
    if (PyCell_Check(form)) {
        PyObject *constant = PyCell_GET(form);
        Py_INCREF(constant);
        return constant;
    }
    if (PySlice_Check(form)) {
        const PySliceObject *either = (PySliceObject *)form;
        PyObject *chosen = filled(either->step, outputs);
        const int first = chosen ? PyObject_IsTrue(chosen) : -1;
        Py_XDECREF(chosen);
        return first < 0 ? NULL : filled(first ? either->start : either->stop, outputs);
    }
    if (PyDict_CheckExact(form)) {
        PyObject *made = PyDict_New(), *key, *member;
        Py_ssize_t place = 0;
        while (made && PyDict_Next(form, &place, &key, &member)) {
            PyObject *value = filled(member, outputs);
            if (!value || PyDict_SetItem(made, key, value) < 0) Py_CLEAR(made);
            Py_XDECREF(value);
        }
        return made;
    }
    if (form == Py_None) Py_RETURN_NONE;
    if (PyTuple_Check(form) && !PyTuple_CheckExact(form)) return shown(form, outputs);
    const int tuple = PyTuple_CheckExact(form);
    const Py_ssize_t count = tuple ? PyTuple_GET_SIZE(form) : PyList_GET_SIZE(form);
    PyObject *made = tuple ? PyTuple_New(count) : PyList_New(count);
    for (Py_ssize_t k = 0; made && k < count; k++) {
        PyObject *value = filled(tuple ? PyTuple_GET_ITEM(form, k) : PyList_GET_ITEM(form, k), outputs);
        if (!value) Py_CLEAR(made);
        else if (tuple) PyTuple_SET_ITEM(made, k, value);
        else PyList_SET_ITEM(made, k, value);
    }
    return made;
}

static PyObject *made_of(const Direct *d, PyObject **outputs, PyObject **leaves) {
    if (d->form != Py_None) return filled(d->form, outputs);
    PyObject *values = list_of(outputs, d->outputs), *given = list_of(leaves, d->leaves), *result = NULL;
    if (values && given) result = PyObject_CallFunctionObjArgs(d->result, values, given, Py_False, NULL);
    Py_XDECREF(values);
    Py_XDECREF(given);
    return result;
}

/* What the program had to say: floating-point flags, an index out of range. -1: an exception. */
static int report(const Direct *d, int64_t code, const int64_t *errors, PyObject **leaves) {
    PyObject *given = list_of(leaves, d->leaves);
    if (!given) return -1;
    PyObject *done = PyObject_CallFunction(d->after, "LLLLO", (long long)code, (long long)errors[0], (long long)errors[1], (long long)errors[2], given);
    Py_DECREF(given);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* The result; NULL with an exception, or without one where Python has to make the call. */
static PyObject *run(const Direct *d, PyObject **leaves) {
    void *slots[MOST_SLOTS];
    int64_t dims[MOST_SIZES], errors[3] = {0, 0, 0};
    PyObject *outputs[MOST_OUTPUTS], *result = NULL, *large_arena = NULL;
    npy_intp arena_size = d->arena;
    void *arena = NULL;
    int made = 0;
    memcpy(slots, d->slot, d->slots * sizeof(void *));
    memcpy(dims, d->size, d->sizes * sizeof(int64_t));
    slots[ERRORS] = errors;
    for (int k = 0; k < d->inputs; k++) {
        PyObject *leaf = leaves[d->input[k].leaf];
        slots[d->input[k].slot] = PyArray_Check(leaf) ? PyArray_BYTES((PyArrayObject *)leaf) + d->input[k].begins
                                                      : scalar_memory(leaf, d->input[k].type);
    }
    for (int k = 0; k < d->outsides; k++) slots[d->outside[k].slot] = PyArray_DATA((PyArrayObject *)d->outside[k].array);
    if (!threads_of(d, dims)) return NULL;
    for (; made < d->outputs; made++) {
        if (!(outputs[made] = new_output(d, &d->output[made]))) goto done;
        slots[d->output[made].slot] = PyArray_DATA((PyArrayObject *)outputs[made]);
    }
    if (d->arena > SMALL_ARENA) {
        if (!(large_arena = PyObject_CallFunction(d->take, "n", d->arena))) goto done;
        slots[ARENA] = PyArray_DATA((PyArrayObject *)large_arena);
    } else if (d->arena) {
        if (!(arena = small_arena(&arena_size))) {
            PyErr_NoMemory();
            goto done;
        }
        slots[ARENA] = (void *)(((uintptr_t)arena + PAGE - 1) & -(uintptr_t)PAGE);
    }
    int64_t code;
    Py_BEGIN_ALLOW_THREADS;
    code = d->entry(slots, dims);
    Py_END_ALLOW_THREADS;
    runs++;
    if (d->doubt >= 0) {
        const int64_t error = code & 0xFFFFFFFF;
        if (error ? error < SPECIAL : *(char *)PyArray_DATA((PyArrayObject *)outputs[d->doubt])) goto done;
    }
    if (code && report(d, code, errors, leaves) < 0) goto done;
    result = made_of(d, outputs, leaves);
done:
    if (arena) give_back(arena, arena_size);
    if (large_arena) {
        PyObject *given = PyErr_Occurred() ? NULL : PyObject_CallOneArg(d->give, large_arena);
        Py_XDECREF(given);
        Py_DECREF(large_arena);
    }
    for (int k = 0; k < made; k++) Py_DECREF(outputs[k]);
    return result;
}

/* --- Direct ---------------------------------------------------------------------------------------------------------------- */

static int direct_traverse(Direct *self, visitproc visit, void *arg) {
    Py_VISIT(self->kept);
    return 0;
}

static int direct_clear(Direct *self) {
    self->entry = NULL; /* what is borrowed from `kept` must not be used any more */
    Py_CLEAR(self->kept);
    return 0;
}

static void direct_dealloc(Direct *self) {
    PyObject_GC_UnTrack(self);
    direct_clear(self);
    PyMem_Free(self->slot);
    PyMem_Free(self->size);
    PyMem_Free(self->argument);
    PyMem_Free(self->input);
    PyMem_Free(self->outside);
    PyMem_Free(self->output);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int read_output(PyObject *row, Output *o) {
    o->slot = (int)PyLong_AsLong(PyTuple_GET_ITEM(row, 0));
    o->shape_object = PyTuple_GET_ITEM(row, 1);
    o->type = (PyArray_Descr *)PyTuple_GET_ITEM(row, 2);
    if ((o->axes = read_shape(o->shape_object, o->shape)) < 0) return -1;
    o->bytes = PyArray_MultiplyList(o->shape, o->axes) * PyDataType_ELSIZE(o->type);
    return PyErr_Occurred() ? -1 : 0;
}

#define TABLE(field, count, kind) (self->count = (int)n_##field, self->field = PyMem_Calloc(n_##field ? n_##field : 1, sizeof(kind)))

static PyObject *direct_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"entry", "slots", "sizes", "arguments", "leaves", "inputs", "outside", "outputs", "arena", "work", "doubt", "form",
                            "guards", "writes", "result", "after", "settings", "threads", "large", "empty", "take", "give", "owner", NULL};
    unsigned long long entry;
    Py_buffer slots, sizes;
    PyObject *arguments, *inputs, *outside, *outputs, *form, *guards, *writes, *result, *after, *settings, *threads, *empty, *take, *give, *owner;
    int leaves, doubt;
    Py_ssize_t arena, large;
    long long work;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ky*y*O!iO!O!O!nLiOO!O!OOOOnOOOO:Direct", names, &entry, &slots, &sizes, &PyTuple_Type, &arguments,
                                     &leaves, &PyTuple_Type, &inputs, &PyTuple_Type, &outside, &PyTuple_Type, &outputs, &arena, &work, &doubt, &form,
                                     &PyTuple_Type, &guards, &PyTuple_Type, &writes, &result, &after, &settings, &threads, &large, &empty, &take,
                                     &give, &owner))
        return NULL;
    Direct *self = NULL;
    Py_ssize_t n_slot = slots.len / (Py_ssize_t)sizeof(void *), n_size = sizes.len / (Py_ssize_t)sizeof(int64_t);
    Py_ssize_t n_argument = PyTuple_GET_SIZE(arguments), n_input = PyTuple_GET_SIZE(inputs), n_outside = PyTuple_GET_SIZE(outside);
    Py_ssize_t n_output = PyTuple_GET_SIZE(outputs);
    if (n_slot > MOST_SLOTS || n_size > MOST_SIZES || n_output > MOST_OUTPUTS || leaves > MOST_LEAVES) {
        PyErr_SetString(PyExc_OverflowError, "Direct: too large");
        goto done;
    }
    if (!(self = (Direct *)type->tp_alloc(type, 0))) goto done;
    self->entry = (Entry)(uintptr_t)entry;
    self->arena = arena, self->large = large, self->work = work, self->doubt = doubt, self->form = form, self->leaves = leaves;
    self->guards = guards, self->writes = writes, self->result = result, self->after = after, self->settings = settings;
    self->threads = threads, self->empty = empty, self->take = take, self->give = give;
    self->kept = Py_BuildValue("(OOOOOOOOOOOOOOO)", arguments, inputs, outside, outputs, form, guards, writes, result, after, settings, threads, empty, take,
                               give, owner);
    if (!self->kept || !TABLE(slot, slots, void *) || !TABLE(size, sizes, int64_t) || !TABLE(argument, arguments, Argument)
        || !TABLE(input, inputs, Input) || !TABLE(outside, outsides, Outside) || !TABLE(output, outputs, Output)) {
        if (self->kept) PyErr_NoMemory();
        Py_CLEAR(self);
        goto done;
    }
    memcpy(self->slot, slots.buf, slots.len);
    memcpy(self->size, sizes.buf, sizes.len);
    int bad = 0;
    for (int k = 0; !bad && k < n_argument; k++) bad = read_argument(PyTuple_GET_ITEM(arguments, k), &self->argument[k]);
    for (int k = 0; !bad && k < n_input; k++)
        bad = !PyArg_ParseTuple(PyTuple_GET_ITEM(inputs, k), "iiin", &self->input[k].slot, &self->input[k].leaf, &self->input[k].type,
                                &self->input[k].begins);
    for (int k = 0; !bad && k < n_outside; k++)
        bad = !PyArg_ParseTuple(PyTuple_GET_ITEM(outside, k), "iO!n", &self->outside[k].slot, &PyArray_Type, &self->outside[k].array,
                                &self->outside[k].bytes);
    for (int k = 0; !bad && k < n_output; k++) bad = read_output(PyTuple_GET_ITEM(outputs, k), &self->output[k]);
    if (bad) Py_CLEAR(self);
done:
    PyBuffer_Release(&slots);
    PyBuffer_Release(&sizes);
    return (PyObject *)self;
}

static PyTypeObject DirectType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._direct.Direct",
    .tp_basicsize = sizeof(Direct),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = direct_new,
    .tp_dealloc = (destructor)direct_dealloc,
    .tp_traverse = (traverseproc)direct_traverse,
    .tp_clear = (inquiry)direct_clear,
};

/* --- Dispatch -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *directs[DIRECTS];
    int count, next;
} Dispatch;


/* The result, or NULL: with an exception, or without one if no signature fits. */
static PyObject *call_directly(Dispatch *self, PyObject *args, PyObject *kwargs) {
    PyObject *leaves[MOST_LEAVES];
    for (int k = 0; k < self->count; k++) {
        Direct *d = (Direct *)self->directs[k];
        int at = 0, with_names = d->entry && d->arguments > 0;
        if (!with_names || !matches(d->argument, &at, args, leaves, watched)) continue;
        if (at < d->arguments ? !kwargs || !matches(d->argument, &at, kwargs, leaves, watched) : kwargs && PyDict_GET_SIZE(kwargs)) continue;
        Py_INCREF(d); /* a guard may run Python, and Python may drop it */
        int held = holds(d->guards);
        PyObject *result = held > 0 && !collides(d, leaves) ? run(d, leaves) : NULL;
        Py_DECREF(d);
        if (held) return result;
    }
    return NULL;
}

static PyObject *dispatch_call(Dispatch *self, PyObject *args, PyObject *kwargs) {
    if (enabled && self->count && !((Tracing *)tracing)->depth) {
        PyObject *result = call_directly(self, args, kwargs);
        if (result || PyErr_Occurred()) return result;
    }
    PyObject *slow = PyObject_GetAttr((PyObject *)self, name_slow);
    if (!slow) return NULL;
    PyObject *result = PyObject_Call(slow, args, kwargs);
    Py_DECREF(slow);
    return result;
}

static PyObject *learn(Dispatch *self, PyObject *direct) {
    if (!PyObject_TypeCheck(direct, &DirectType)) return PyErr_Format(PyExc_TypeError, "learn() expects a Direct");
    for (int k = 0; k < self->count; k++)
        if (self->directs[k] == direct) Py_RETURN_NONE;
    Py_INCREF(direct);
    if (self->count < DIRECTS) {
        self->directs[self->count++] = direct;
    } else {
        Py_SETREF(self->directs[self->next], direct);
        self->next = (self->next + 1) % DIRECTS;
    }
    Py_RETURN_NONE;
}

static int dispatch_clear(Dispatch *self) {
    int n = self->count;
    self->count = self->next = 0;
    for (int k = 0; k < n; k++) Py_CLEAR(self->directs[k]);
    return 0;
}

static PyObject *unlearn(Dispatch *self, PyObject *unused) {
    dispatch_clear(self);
    Py_RETURN_NONE;
}

static int dispatch_traverse(Dispatch *self, visitproc visit, void *arg) {
    for (int k = 0; k < self->count; k++) Py_VISIT(self->directs[k]);
    return 0;
}

static void dispatch_dealloc(Dispatch *self) {
    PyObject_GC_UnTrack(self);
    dispatch_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef dispatch_methods[] = {
    {"learn", (PyCFunction)learn, METH_O, "learn(direct): calls with its signature go through it from now on"},
    {"unlearn", (PyCFunction)unlearn, METH_NOARGS, "unlearn(): forget every signature"},
    {NULL},
};
static PyTypeObject DispatchType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._direct.Dispatch",
    .tp_doc = "The base of functions that are called by what they have learned, else by their method `slow`.",
    .tp_basicsize = sizeof(Dispatch),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_call = (ternaryfunc)dispatch_call,
    .tp_dealloc = (destructor)dispatch_dealloc,
    .tp_traverse = (traverseproc)dispatch_traverse,
    .tp_clear = (inquiry)dispatch_clear,
    .tp_methods = dispatch_methods,
};

/* --- the module ------------------------------------------------------------------------------------------------------------ */

static PyObject *enable(PyObject *module, PyObject *value) {
    int truth = PyObject_IsTrue(value);
    if (truth < 0) return NULL;
    enabled = truth;
    Py_RETURN_NONE;
}

static PyObject *count_runs(PyObject *module, PyObject *unused) {
    return PyLong_FromUnsignedLongLong(runs);
}

/* The addresses of NumPy's sort and argsort of one dtype, by algorithm; 0 where it has none. */
static PyObject *sorters(PyObject *module, PyObject *number) {
    long type = PyLong_AsLong(number);
    PyArray_Descr *descr = type == -1 && PyErr_Occurred() ? NULL : PyArray_DescrFromType((int)type);
    if (!descr) return NULL;
    PyArray_ArrFuncs *f = PyDataType_GetArrFuncs(descr);
    PyObject *found = PyTuple_New(2 * NPY_NSORTS);
    for (int k = 0; found && k < NPY_NSORTS; k++) {
        PyTuple_SET_ITEM(found, k, PyLong_FromVoidPtr((void *)f->sort[k]));
        PyTuple_SET_ITEM(found, NPY_NSORTS + k, PyLong_FromVoidPtr((void *)f->argsort[k]));
    }
    Py_DECREF(descr);
    return found;
}

/* The least of a limit, the processors of this thread's affinity and, where its address is known, what BLAS says. */
static PyObject *least_threads(PyObject *module, PyObject *args) {
    int least;
    Py_ssize_t address;
    if (!PyArg_ParseTuple(args, "in", &least, &address)) return NULL;
#ifdef __linux__
    if (least <= 1) return PyLong_FromLong(1); /* the kernel need not be asked */
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) Py_RETURN_NONE; /* more processors than the set has room for */
    if (CPU_COUNT(&allowed) < least) least = CPU_COUNT(&allowed);
    if (address) {
        int (*getter)(void) = (int (*)(void))address;
        if (getter() < least) least = getter();
    }
    return PyLong_FromLong(least);
#else
    Py_RETURN_NONE;
#endif
}

static PyMethodDef functions[] = {
    {"least_threads", least_threads, METH_VARARGS, "least_threads(limit, address of BLAS's getter or 0); None where that is not known here"},
    {"sorters", sorters, METH_O, "sorters(number of a dtype): the addresses of its functions for sort, then for argsort, by algorithm"},
    {"enable", enable, METH_O, "enable(bool): whether calls may go past Python"},
    {"runs", count_runs, METH_NOARGS, "runs(): how many programs were run this way"},
    {NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "lazynp._direct", "Calls of compiled functions without Python in between.", -1, functions};

PyMODINIT_FUNC PyInit__direct(void) {
    import_array();
    PyObject *hotpaths = PyImport_ImportModule("lazynp._hotpaths");
    if (!hotpaths) return NULL;
    watched = (PyTypeObject *)PyObject_GetAttrString(hotpaths, "ndarray");
    tracing = PyObject_GetAttrString(hotpaths, "tracing");
    Py_DECREF(hotpaths);
    if (!watched || !tracing || !(name_slow = PyUnicode_InternFromString("slow"))
        || !(name_threshold = PyUnicode_InternFromString("parallel_threshold"))) return NULL;
    PyObject *module = PyModule_Create(&definition);
    PyObject *results = prepare_results();
    if (!module || !results || PyModule_AddObject(module, "results", results) < 0 || PyType_Ready(&DirectType) < 0 || PyType_Ready(&DispatchType) < 0) return NULL;
    if (PyModule_AddObjectRef(module, "Direct", (PyObject *)&DirectType) < 0
        || PyModule_AddObjectRef(module, "Dispatch", (PyObject *)&DispatchType) < 0)
        return NULL;
    return module;
}

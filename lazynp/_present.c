/* Lazy arrays that are there, compiled: their buffers, items and views, and what lines are whose work is short.

   What is done here is what lazynp/indexing.py and lazynp/operators.py do for them: they are asked wherever this file does not know. */

#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#include "_hotpaths.h"

/* --- the buffer ------------------------------------------------------------------------------------------------------------- */

/* The memory of the NumPy array that _lent makes, which whoever holds the buffer keeps alive. */
static int lend(PyObject *self, Py_buffer *view, int flags) {
    PyObject *array = PyObject_CallMethod(self, "_lent", "i", flags);
    int failed = array ? PyObject_GetBuffer(array, view, flags) : -1;
    if (!array) view->obj = NULL;
    Py_XDECREF(array);
    return failed;
}

static PyBufferProcs lending = {.bf_getbuffer = lend};

/* --- arrays and storages --------------------------------------------------------------------------------------------------- */

static PyTypeObject *plain_storage;          /* the type of storages that are a block of memory */
static PyTypeObject *type_type, *step_type;  /* of (shape, dtype), and of (op, attributes): lazynp's ArrayType and Step */
static PyObject *slice_op, *permute_op;      /* the ops of steps that are slices, and that permute axes */
static PyObject *read_item, *write_item;     /* (array, index), (array, index, value): what is not done here */
static struct {
    Py_ssize_t storage, np, path, type, parent, readonly, scalar;
} array_at;  /* where an array has its slots */
static struct {
    Py_ssize_t node, buffer, leaf, exported, failure, home, shape, dtype;
} storage_at;

static PyObject **slot(PyObject *object, Py_ssize_t offset) {
    return (PyObject **)((char *)object + offset);
}

static void set(PyObject *object, Py_ssize_t offset, PyObject *value) {
    Py_XSETREF(*slot(object, offset), Py_NewRef(value));
}

/* A new array that shows a storage through a path; takes over the references to path and type. */
static PyObject *handle(PyObject *storage, PyObject *path, PyObject *type, PyObject *parent) {
    PyObject *new = path && type ? lazy->tp_alloc(lazy, 0) : NULL;
    if (!new) {
        Py_XDECREF(path);
        Py_XDECREF(type);
        return NULL;
    }
    set(new, array_at.np, Py_None);
    set(new, array_at.storage, storage);
    *slot(new, array_at.path) = path;
    *slot(new, array_at.type) = type;
    set(new, array_at.parent, parent);
    set(new, array_at.readonly, Py_False);
    set(new, array_at.scalar, Py_False);
    return new;
}

static PyObject *named_tuple(PyTypeObject *type, PyObject *first, PyObject *second) {
    PyObject *args = first && second ? Py_BuildValue("((OO))", first, second) : NULL;
    PyObject *made = args ? PyTuple_Type.tp_new(type, args, NULL) : NULL;
    Py_XDECREF(args);
    return made;
}

static PyObject *sizes_tuple(const npy_intp *sizes, int n) {
    PyObject *tuple = PyTuple_New(n);
    for (int i = 0; tuple && i < n; i++) {
        PyObject *size = PyLong_FromSsize_t(sizes[i]);
        if (!size) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, i, size);
    }
    return tuple;
}

static PyObject *type_of(PyArrayObject *a) {
    PyObject *shape = sizes_tuple(PyArray_DIMS(a), PyArray_NDIM(a));
    PyObject *type = named_tuple(type_type, shape, (PyObject *)PyArray_DESCR(a));
    Py_XDECREF(shape);
    return type;
}

/* Whether an array shows a storage that is a block of memory whose value is known. */
int is_there(PyObject *self) {
    if (Py_TYPE(self) != lazy) return 0;
    PyObject *storage = *slot(self, array_at.storage);
    if (storage == Py_None) return 1;
    return Py_TYPE(storage) == plain_storage && *slot(storage, storage_at.node) == Py_None && *slot(storage, storage_at.failure) == Py_None
           && PyArray_CheckExact(*slot(storage, storage_at.buffer));
}

/* A view of a storage's memory with its axes in another order. */
static PyObject *permuted(PyArrayObject *memory, PyObject *axes) {
    npy_intp order[NPY_MAXDIMS];
    PyArray_Dims permutation = {order, (int)PyTuple_GET_SIZE(axes)};
    for (int i = 0; i < permutation.len; i++) order[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(axes, i));
    return PyArray_Transpose(memory, &permutation);
}

/* What a path of one slice or permutation shows of a storage's memory. NULL without an error: it is no such path. */
static PyObject *shown(PyArrayObject *memory, PyObject *path) {
    PyObject *step = PyTuple_GET_ITEM(path, 0), *op = PyTuple_GET_ITEM(step, 0), *attributes = PyTuple_GET_ITEM(step, 1);
    if (PyTuple_GET_SIZE(path) != 1 || (op != slice_op && op != permute_op)) return NULL;
    if (op == permute_op) return permuted(memory, PyTuple_GET_ITEM(attributes, 0));
    npy_intp sizes[NPY_MAXDIMS], strides[NPY_MAXDIMS];
    char *data = PyArray_BYTES(memory);
    int n = PyArray_NDIM(memory);
    for (int i = 0; i < n; i++) {
        PyObject *part[3];
        for (int k = 0; k < 3; k++) {
            part[k] = PyTuple_GET_ITEM(PyTuple_GET_ITEM(attributes, k), i);
            if (!PyLong_CheckExact(part[k])) return NULL; /* a size of a trace */
        }
        data += PyLong_AsSsize_t(part[0]) * PyArray_STRIDE(memory, i);
        strides[i] = PyLong_AsSsize_t(part[1]) * PyArray_STRIDE(memory, i);
        sizes[i] = PyLong_AsSsize_t(part[2]);
    }
    PyArray_Descr *dtype = PyArray_DESCR(memory);
    Py_INCREF(dtype);
    PyObject *view = PyArray_NewFromDescr(&PyArray_Type, dtype, n, sizes, strides, data, PyArray_FLAGS(memory) & NPY_ARRAY_WRITEABLE, NULL);
    if (view && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(memory)) < 0) Py_CLEAR(view);
    if (view) PyArray_UpdateFlags((PyArrayObject *)view, NPY_ARRAY_UPDATE_ALL);
    return view;
}

/* The values of an array that is there, in its memory. NULL without an error: ask Python. */
PyObject *values_of(PyObject *self) {
    PyObject *storage = *slot(self, array_at.storage), *known = *slot(self, array_at.np);
    if (storage == Py_None) return Py_TYPE(known) == &WatchedType ? plain_view(known) : Py_NewRef(known);
    PyObject *path = *slot(self, array_at.path), *memory = *slot(storage, storage_at.buffer);
    if (PyTuple_GET_SIZE(path) == 0) return Py_NewRef(memory);
    return PyArray_CheckExact(known) ? Py_NewRef(known) : shown((PyArrayObject *)memory, path);
}

/* Whether NumPy would have handed out a number for an array of ours. */
int is_number(PyObject *self) {
    return *slot(self, array_at.scalar) != Py_False;
}

/* Whether anybody may write to an array that is there: it is no scalar, and no pending work has to read it first. */
int is_free(PyObject *self) {
    if (*slot(self, array_at.readonly) != Py_False || is_number(self)) return 0;
    PyObject *storage = *slot(self, array_at.storage);
    PyObject *leaf = storage == Py_None ? Py_None : *slot(storage, storage_at.leaf);
    return leaf == Py_None || PyWeakref_GetObject(leaf) == Py_None;
}

/* The memory (borrowed) of an array that may be written to at once; else NULL. */
static PyArrayObject *present(PyObject *self) {
    if (tracing->depth || tracing->recording || !is_there(self) || !is_free(self)) return NULL;
    PyObject *storage = *slot(self, array_at.storage), *memory = *slot(self, array_at.np);
    if (storage != Py_None && PyTuple_GET_SIZE(*slot(self, array_at.path)) == 0) memory = *slot(storage, storage_at.buffer);
    return PyArray_CheckExact(memory) && PyArray_ISWRITEABLE((PyArrayObject *)memory) ? (PyArrayObject *)memory : NULL;
}

/* --- lines whose work is short ------------------------------------------------------------------------------------------------ */

PyObject *short_lines;            /* position -> elements of the largest array there (Queue.short) */
PyObject *known_files;            /* name of a file -> whether its code is lazynp's or NumPy's */
PyObject *main_queue;             /* the home of storages that are made here */

/* Where the user's code is, as a key of short_lines (errors.recording_position). NULL without an error: in a file that is not known yet. */
static PyObject *position(void) {
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
    while (frame) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        PyObject *ours = PyDict_GetItemWithError(known_files, code->co_filename);
        if (ours != Py_True) {
            PyFrameObject *outer = ours ? PyFrame_GetBack(frame) : NULL;
            PyObject *key = NULL;
            if (outer) {
                PyCodeObject *outer_code = PyFrame_GetCode(outer);
                key = Py_BuildValue("Ni(Ni)", PyLong_FromVoidPtr(code), PyFrame_GetLasti(frame), PyLong_FromVoidPtr(outer_code), PyFrame_GetLasti(outer));
                Py_DECREF(outer_code);
                Py_DECREF(outer);
            } else if (ours)
                key = Py_BuildValue("NiO", PyLong_FromVoidPtr(code), PyFrame_GetLasti(frame), Py_None);
            Py_DECREF(code);
            Py_DECREF(frame);
            return key;
        }
        Py_DECREF(code);
        PyFrameObject *outer = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = outer;
    }
    return NULL;
}

/* Whether NumPy should compute at once what is done here with operands of so many elements (operands.short_here). Has no errors. */
int is_short(npy_intp most) {
    PyObject *key = position();
    PyObject *limit = key ? PyDict_GetItemWithError(short_lines, key) : NULL;
    int found = limit && most <= PyLong_AsSsize_t(limit);
    Py_XDECREF(key);
    PyErr_Clear();
    return found;
}

int may_be_now(void) {
    return threshold > 0 && !tracing->depth && !tracing->recording;
}

int may_be_short(void) {
    return may_be_now() && short_lines && PyDict_GET_SIZE(short_lines);
}

/* Whether nothing that is computed of these operands elementwise is large. */
int stays_small(PyObject *const *plain, Py_ssize_t n, npy_intp most) {
    if (most >= threshold || n > 2) return 0;
    return n < 2 || !PyArray_Check(plain[0]) || !PyArray_Check(plain[1]) || !grows(plain[0], plain[1]);
}

/* The operands as NumPy takes them, if they are scalars and arrays that are there, and what is computed is small, or the line is known to be
   short: 1, and the caller owns them; else 0. */
int plain_operands(PyObject *const *args, Py_ssize_t n, PyObject **plain) {
    npy_intp most = 0;
    if (!may_be_now()) return 0;
    Py_ssize_t count = 0;
    for (; count < n; count++) {
        enum Kind kind = kind_of(args[count]);
        if (kind == OTHER && !is_there(args[count])) break;
        plain[count] = kind == OTHER ? values_of(args[count]) : plain_operand(args[count]);
        if (!plain[count]) break;
        if (kind != SCALAR && PyArray_SIZE((PyArrayObject *)plain[count]) > most) most = PyArray_SIZE((PyArrayObject *)plain[count]);
    }
    if (count == n && (stays_small(plain, n, most) || (may_be_short() && is_short(most)))) return 1;
    while (count) Py_DECREF(plain[--count]);
    PyErr_Clear();
    return 0;
}

/* A result of NumPy's, large ones over a storage of their own; takes over the reference. */
PyObject *adopted(PyObject *result) {
    PyArrayObject *a = (PyArrayObject *)result;
    if (!result || Py_TYPE(result) != &PyArray_Type || is_small(result) || !is_numeric(a) || !PyArray_ISCARRAY(a) || PyArray_BASE(a))
        return handed_out(result);
    PyObject *type = type_of(a), *storage = type ? plain_storage->tp_alloc(plain_storage, 0) : NULL, *made = NULL;
    if (storage) {
        set(storage, storage_at.shape, PyTuple_GET_ITEM(type, 0));
        set(storage, storage_at.dtype, PyTuple_GET_ITEM(type, 1));
        set(storage, storage_at.node, Py_None);
        set(storage, storage_at.buffer, result);
        set(storage, storage_at.exported, Py_True);
        set(storage, storage_at.failure, Py_None);
        set(storage, storage_at.leaf, Py_None);
        set(storage, storage_at.home, main_queue);
        made = handle(storage, PyTuple_New(0), Py_NewRef(type), Py_None);
        Py_DECREF(storage);
    }
    Py_XDECREF(type);
    Py_DECREF(result);
    return made;
}

/* An argument of a function as NumPy takes it: a new reference, or NULL where Python has to look at it. Lists and tuples may have arrays in
   them. Memory that NumPy may write to, or show in its result, must be free, and is known outside from then on: no array of `limit` elements
   is taken. */
PyObject *plain_argument(PyObject *x, npy_intp *most, npy_intp limit, int depth) {
    enum Kind kind = kind_of(x);
    PyObject *plain = NULL;
    if (kind != OTHER) plain = plain_operand(x);
    else if (is_there(x)) {
        if (!is_free(x) || !(plain = values_of(x))) return NULL;
        if (PyArray_SIZE((PyArrayObject *)plain) >= limit) {
            Py_DECREF(plain);
            return NULL;
        }
        PyObject *storage = *slot(x, array_at.storage);
        if (storage != Py_None) set(storage, storage_at.exported, Py_True);
    } else if (x == Py_None || PyUnicode_CheckExact(x) || Py_TYPE(x) == &PyType_Type || PyArray_DescrCheck(x))
        return Py_NewRef(x);
    if (plain && PyArray_Check(plain) && PyArray_SIZE((PyArrayObject *)plain) > *most) *most = PyArray_SIZE((PyArrayObject *)plain);
    if (plain || !depth || !(PyTuple_CheckExact(x) || PyList_CheckExact(x))) return plain;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(x);
    PyObject *made = PyTuple_CheckExact(x) ? PyTuple_New(n) : PyList_New(n);
    for (Py_ssize_t i = 0; made && i < n; i++) {
        PyObject *part = plain_argument(PySequence_Fast_GET_ITEM(x, i), most, limit, depth - 1);
        if (!part) Py_CLEAR(made);
        else if (PyTuple_CheckExact(made)) PyTuple_SET_ITEM(made, i, part);
        else PyList_SET_ITEM(made, i, part);
    }
    return made;
}

/* Whether a result shows the memory of an operand: then it should be a view of that array, which Python makes. */
int is_view_of(PyObject *result, PyObject *operand) {
    if (!PyArray_Check(result) || !PyArray_Check(operand)) return 0;
    PyObject *shown = PyArray_BASE((PyArrayObject *)result);
    return shown && (shown == operand || shown == PyArray_BASE((PyArrayObject *)operand));
}

/* --- transposed -------------------------------------------------------------------------------------------------------------- */

static PyObject *transpose; /* (array): what is not done here */

/* x.T of a whole block of memory that is there, as view_of makes it. */
static PyObject *transposed(PyObject *self, void *closure) {
    PyObject *storage = Py_TYPE(self) == lazy ? *slot(self, array_at.storage) : Py_None;
    if (tracing->depth || storage == Py_None || !is_there(self) || PyTuple_GET_SIZE(*slot(self, array_at.path))
        || *slot(self, array_at.readonly) != Py_False || is_number(self))
        return PyObject_CallOneArg(transpose, self);
    PyArrayObject *memory = (PyArrayObject *)*slot(storage, storage_at.buffer);
    npy_intp axes[NPY_MAXDIMS], sizes[NPY_MAXDIMS];
    int n = PyArray_NDIM(memory);
    for (int i = 0; i < n; i++) axes[i] = n - 1 - i, sizes[i] = PyArray_DIM(memory, axes[i]);
    PyObject *order = sizes_tuple(axes, n), *shape = sizes_tuple(sizes, n), *attributes = order ? PyTuple_Pack(1, order) : NULL;
    PyObject *step = named_tuple(step_type, permute_op, attributes), *path = step ? PyTuple_Pack(1, step) : NULL;
    PyObject *type = named_tuple(type_type, shape, (PyObject *)PyArray_DESCR(memory));
    Py_XDECREF(order);
    Py_XDECREF(shape);
    Py_XDECREF(attributes);
    Py_XDECREF(step);
    PyObject *parent = *slot(self, array_at.parent);
    return handle(storage, path, type, parent == Py_None ? self : parent);
}

static int refused(PyObject *self, PyObject *value, void *name) {
    PyErr_Format(PyExc_AttributeError, "attribute '%s' of 'numpy.ndarray' objects is not writable", (const char *)name);
    return -1;
}

static PyGetSetDef views[] = {{"T", transposed, refused, "The array with its axes in reverse order, over the same memory.", "T"}, {NULL}};

PyObject *connect_views(PyObject *module, PyObject *function) {
    transpose = Py_NewRef(function);
    Py_RETURN_NONE;
}

/* --- items -------------------------------------------------------------------------------------------------------------------- */

static int is_basic_item(PyObject *item) {
    return PyLong_CheckExact(item) || PySlice_Check(item) || item == Py_None || item == Py_Ellipsis || Py_TYPE(item) == &PyLongArrType_Type;
}

static int is_basic(PyObject *index) {
    if (!PyTuple_CheckExact(index)) return is_basic_item(index);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(index); i++)
        if (!is_basic_item(PyTuple_GET_ITEM(index, i))) return 0;
    return 1;
}

/* The path to what slices show of a whole block of memory. NULL without an error: the index has something else in it. */
static PyObject *path_of(PyArrayObject *memory, PyObject *index) {
    npy_intp parts[3][NPY_MAXDIMS];
    int n = PyArray_NDIM(memory), whole = 1;
    Py_ssize_t given = PyTuple_CheckExact(index) ? PyTuple_GET_SIZE(index) : 1;
    if (given > n) return NULL; /* new axes */
    for (int i = 0; i < n; i++) {
        Py_ssize_t start = 0, step = 1, size = PyArray_DIM(memory, i), stop = size;
        if (i < given) {
            PyObject *item = PyTuple_CheckExact(index) ? PyTuple_GET_ITEM(index, i) : index;
            if (!PySlice_Check(item) || PySlice_Unpack(item, &start, &stop, &step) < 0) return NULL;
            size = PySlice_AdjustIndices(size, &start, &stop, step);
        }
        parts[0][i] = start, parts[1][i] = step, parts[2][i] = size;
        whole = whole && start == 0 && step == 1 && size == PyArray_DIM(memory, i);
    }
    if (whole) return PyTuple_New(0);
    PyObject *sizes[] = {sizes_tuple(parts[0], n), sizes_tuple(parts[1], n), sizes_tuple(parts[2], n)};
    PyObject *attributes = sizes[0] && sizes[1] && sizes[2] ? PyTuple_Pack(3, sizes[0], sizes[1], sizes[2]) : NULL;
    PyObject *step = named_tuple(step_type, slice_op, attributes), *path = step ? PyTuple_Pack(1, step) : NULL;
    for (int k = 0; k < 3; k++) Py_XDECREF(sizes[k]);
    Py_XDECREF(attributes);
    Py_XDECREF(step);
    return path;
}

/* A large view of a whole block of memory stays ours, and NumPy's view is not kept: as long as one lives, whoever reads the memory has to
   copy it first. NULL without an error: Python makes it. */
static PyObject *view_of(PyObject *self, PyArrayObject *memory, PyObject *index, PyObject *found) {
    PyObject *storage = *slot(self, array_at.storage), *parent = *slot(self, array_at.parent);
    if (storage == Py_None || PyTuple_GET_SIZE(*slot(self, array_at.path))) return NULL;
    PyObject *path = path_of(memory, index);
    return path ? handle(storage, path, type_of((PyArrayObject *)found), parent == Py_None ? self : parent) : NULL;
}

/* An index with arrays in it as NumPy takes it: a new reference. NULL: it has none, or something else that Python has to look at. */
static PyObject *plain_index(PyObject *index, npy_intp *most) {
    if (!PyTuple_CheckExact(index)) {
        enum Kind kind = kind_of(index);
        int is_ours = kind == OTHER && is_there(index) && !is_number(index);
        PyObject *plain = is_ours ? values_of(index) : kind >= ARRAY ? plain_operand(index) : NULL;
        if (plain && PyArray_SIZE((PyArrayObject *)plain) > *most) *most = PyArray_SIZE((PyArrayObject *)plain);
        return plain;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(index), arrays = 0;
    PyObject *made = PyTuple_New(n);
    for (Py_ssize_t i = 0; made && i < n; i++) {
        PyObject *item = PyTuple_GET_ITEM(index, i), *plain = NULL;
        if (is_basic_item(item)) plain = Py_NewRef(item);
        else if (!PyTuple_CheckExact(item) && (plain = plain_index(item, most))) arrays++;
        if (!plain) Py_CLEAR(made);
        else PyTuple_SET_ITEM(made, i, plain);
    }
    if (made && !arrays) Py_CLEAR(made);
    return made;
}

/* The same on a short line, for an array of so many elements. Has no errors. */
PyObject *short_index(PyObject *index, npy_intp elements) {
    PyObject *plain = may_be_short() ? plain_index(index, &elements) : NULL;
    if (plain && !is_short(elements)) Py_CLEAR(plain);
    PyErr_Clear();
    return plain;
}

/* array[index] of an array that is there, by an index with arrays in it, on a short line. NULL without an error: ask Python. */
static PyObject *short_item(PyObject *self, PyObject *index) {
    if (!may_be_short() || !is_there(self) || is_number(self)) return NULL;
    PyObject *values = values_of(self), *plain = values ? short_index(index, PyArray_SIZE((PyArrayObject *)values)) : NULL, *result = NULL;
    if (plain) {
        PyObject *before = begin_keeping(bytes_of(values, NULL));
        result = adopted(end_keeping(before, PyObject_GetItem(values, plain)));
    }
    Py_XDECREF(plain);
    Py_XDECREF(values);
    return result;
}

/* What is small is NumPy's own view or scalar, whatever it costs the array later: its memory is known outside from now on. */
static PyObject *array_item(PyObject *self, PyObject *index) {
    PyArrayObject *memory = is_basic(index) ? present(self) : NULL;
    if (memory) {
        PyObject *found = PyObject_GetItem((PyObject *)memory, index);
        if (!found || !PyArray_Check(found)) return found;
        if (is_small(found)) {
            PyObject *storage = *slot(self, array_at.storage);
            if (storage != Py_None) set(storage, storage_at.exported, Py_True);
            return found;
        }
        PyObject *view = view_of(self, memory, index, found);
        Py_DECREF(found);
        if (view || PyErr_Occurred()) return view;
    }
    PyObject *picked = is_basic(index) ? NULL : short_item(self, index);
    return picked || PyErr_Occurred() ? picked : PyObject_CallFunctionObjArgs(read_item, self, index, NULL);
}

/* Whether a region of an array is written in its memory at once: it is small, somebody outside sees the memory, or the line is short. */
static int is_written_now(PyObject *self, PyObject *region) {
    PyObject *storage = *slot(self, array_at.storage);
    if (is_small(region) || storage == Py_None || *slot(storage, storage_at.exported) == Py_True) return 1;
    return may_be_short() && is_short(PyArray_SIZE((PyArrayObject *)region));
}

static int array_set_item(PyObject *self, PyObject *index, PyObject *value) {
    if (!value) {
        PyErr_SetString(PyExc_ValueError, "cannot delete array elements");
        return -1;
    }
    int basic = is_basic(index);
    PyArrayObject *memory = basic || may_be_short() ? present(self) : NULL;
    enum Kind kind = memory ? kind_of(value) : OTHER;
    if (basic && memory && kind == SCALAR) return PyObject_SetItem((PyObject *)memory, index, value);
    int is_ours = memory && kind == OTHER && is_there(value) && !is_number(value);
    PyObject *values = is_ours ? values_of(value) : kind != OTHER ? Py_NewRef(value) : NULL;
    if (values && !basic) {
        PyObject *plain = short_index(index, PyArray_SIZE(memory));
        int failed = plain ? PyObject_SetItem((PyObject *)memory, plain, values) : 0;
        Py_DECREF(values);
        if (plain) {
            Py_DECREF(plain);
            return failed;
        }
    } else if (values) {
        PyObject *region = PyObject_GetItem((PyObject *)memory, index);
        int is_view = region && PyArray_Check(region), now = region && (!is_view || is_written_now(self, region)), failed = region ? 0 : -1;
        if (now && is_view) failed = PyArray_CopyObject((PyArrayObject *)region, values);
        if (now && !is_view) failed = PyObject_SetItem((PyObject *)memory, index, values);
        Py_XDECREF(region);
        Py_DECREF(values);
        if (now || failed) return failed;
    }
    PyObject *done = PyObject_CallFunctionObjArgs(write_item, self, index, value, NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* For the sequence protocol, whose positions have been counted from the beginning already. */
static PyObject *array_position(PyObject *self, Py_ssize_t position) {
    PyObject *index = PyLong_FromSsize_t(position), *found = index ? array_item(self, index) : NULL;
    Py_XDECREF(index);
    return found;
}

/* Where instances of a class have a member of its __slots__; -1 and an AttributeError if it has none of this name. */
static Py_ssize_t offset_of(PyTypeObject *type, const char *name) {
    PyObject *member = PyDict_GetItemString(type->tp_dict, name);
    if (member && Py_TYPE(member) == &PyMemberDescr_Type) return ((PyMemberDescrObject *)member)->d_member->offset;
    PyErr_Format(PyExc_AttributeError, "%s has no slot %s", type->tp_name, name);
    return -1;
}

PyObject *connect_items(PyObject *module, PyObject *args) {
    PyTypeObject *array;
    if (!PyArg_ParseTuple(args, "O!O!O!O!OOOO:connect_items", &PyType_Type, &array, &PyType_Type, &plain_storage, &PyType_Type, &type_type,
                          &PyType_Type, &step_type, &slice_op, &permute_op, &read_item, &write_item))
        return NULL;
#define ARRAY_SLOT(member, name) array_at.member = offset_of(array, name);
    ARRAY_SLOT(storage, "_storage") ARRAY_SLOT(np, "_np") ARRAY_SLOT(path, "_path") ARRAY_SLOT(type, "_type") ARRAY_SLOT(parent, "_parent")
    ARRAY_SLOT(readonly, "_readonly") ARRAY_SLOT(scalar, "_scalar")
#define STORAGE_SLOT(member, name) storage_at.member = offset_of(plain_storage, name);
    STORAGE_SLOT(node, "node") STORAGE_SLOT(buffer, "buffer") STORAGE_SLOT(leaf, "_leaf") STORAGE_SLOT(exported, "exported")
    STORAGE_SLOT(failure, "failure") STORAGE_SLOT(home, "home") STORAGE_SLOT(shape, "shape") STORAGE_SLOT(dtype, "dtype")
    if (PyErr_Occurred()) return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) Py_INCREF(PyTuple_GET_ITEM(args, i));
    Py_RETURN_NONE;
}

static PyMappingMethods items = {.mp_subscript = array_item, .mp_ass_subscript = array_set_item};
static PySequenceMethods positions = {.sq_item = array_position};
PyTypeObject BufferType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lazynp._hotpaths.Buffer",
    .tp_doc = "An object whose memory is that of its __array__()",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_as_buffer = &lending,
    .tp_as_mapping = &items,
    .tp_as_sequence = &positions,
    .tp_getset = views,
    .tp_new = PyType_GenericNew,
};

/* The memory of results of middling size: it begins where a line of the cache does, large ones where a page does, and goes back to a list
   when its array dies. malloc's begins 16 bytes later, so that every vector of 64 bytes is written to two lines (30,000 float32: 3.9 -> 3.0 us);
   larger results come from the pool in backends/pool.py, in pages of 2 MB, by a call of Python that they do not notice.

   NumPy frees an array by the handler that it carries: these arrays own their memory as any other, they can be resized, and have no base. */

#define NO_IMPORT_ARRAY
#include "_direct.h"
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#if NPY_FEATURE_VERSION >= NPY_1_22_API_VERSION && !defined(_WIN32)

enum { LEAST = 2048, MOST = 1 << 22, LINE = 64, PAGE = 4096, PAGED = 1 << 17, PLACES = 64, LIMIT = 1 << 26, TRACE_DOMAIN = 389047 /* NumPy's */ };

typedef struct {
    size_t room, before; /* bytes of the block, and before it, where this header ends */
} Header;

static char *kept[PLACES]; /* blocks that nobody uses, the latest last; under Python's lock, as all calls here */
static int count;
static size_t held;
static PyObject *capsule;

static Header *header_of(char *block) { return (Header *)block - 1; }

static void release(char *block) { free(block - header_of(block)->before); }

/* Few sizes, at most an eighth larger than asked for, so that a block serves again. */
static size_t rounded(size_t size) {
    size_t step = LINE;
    while (step * 16 <= size) step *= 2;
    return (size + step - 1) / step * step;
}

/* What is too large to be kept: as NumPy asks for it, the system's work is less. */
static void in_large_pages(char *block, size_t room) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(block, room, MADV_HUGEPAGE);
#endif
}

static void *take(size_t size) {
    const size_t room = rounded(size), before = room < LEAST ? sizeof(Header) : room >= PAGED ? PAGE : LINE;
    char *block = NULL;
    for (int k = count - 1; k >= 0 && !block && room >= LEAST; k--)
        if (header_of(kept[k])->room == room) {
            block = kept[k];
            memmove(kept + k, kept + k + 1, (size_t)(--count - k) * sizeof *kept);
            held -= room;
        }
    if (!block) {
        char *memory = room < LEAST ? malloc(before + room) : aligned_alloc(before, (before + room + before - 1) / before * before);
        if (!memory) return NULL;
        block = memory + before;
        *header_of(block) = (Header){room, before};
        if (room > MOST) in_large_pages(block, room);
    }
    PyTraceMalloc_Track(TRACE_DOMAIN, (uintptr_t)block, size);
    return block;
}

static void give(char *block) {
    const size_t room = header_of(block)->room;
    PyTraceMalloc_Untrack(TRACE_DOMAIN, (uintptr_t)block);
#ifndef Py_GIL_DISABLED
    if (room >= LEAST && room <= MOST) {
        while (count && (count == PLACES || held + room > LIMIT)) {
            held -= header_of(kept[0])->room;
            release(kept[0]);
            memmove(kept, kept + 1, (size_t)--count * sizeof *kept);
        }
        kept[count++] = block;
        held += room;
        return;
    }
#endif
    release(block);
}

static void *handler_malloc(void *context, size_t size) { return take(size ? size : 1); }

static void *handler_calloc(void *context, size_t items, size_t size) {
    if (size && items > SIZE_MAX / 2 / size) return NULL;
    const size_t all = items * size;
    void *block = take(all ? all : 1);
    return block ? memset(block, 0, all) : NULL;
}

static void handler_free(void *context, void *block, size_t size) {
    if (block) give(block);
}

static void *handler_realloc(void *context, void *block, size_t size) {
    void *other = take(size ? size : 1);
    if (other && block) {
        const size_t room = header_of(block)->room;
        memcpy(other, block, room < size ? room : size);
        give(block);
    }
    return other;
}

static PyDataMem_Handler handler = {"lazynp_results", 1, {NULL, handler_malloc, handler_calloc, handler_realloc, handler_free}};

PyObject *prepare_results(void) { return (capsule = PyCapsule_New(&handler, "mem_handler", NULL)) ? Py_NewRef(capsule) : NULL; }

PyObject *new_result(PyArray_Descr *type, int axes, const npy_intp *shape, npy_intp bytes) {
    Py_INCREF(type);
    if (bytes < LEAST || bytes > MOST) return PyArray_NewFromDescr(&PyArray_Type, type, axes, (npy_intp *)shape, NULL, NULL, 0, NULL);
    void *block = take((size_t)bytes);
    if (!block) {
        Py_DECREF(type);
        return PyErr_NoMemory();
    }
    PyObject *array = PyArray_NewFromDescr(&PyArray_Type, type, axes, (npy_intp *)shape, NULL, block, NPY_ARRAY_CARRAY, NULL);
    if (!array) {
        give(block);
        return NULL;
    }
    Py_INCREF(capsule);
    ((PyArrayObject_fields *)array)->mem_handler = capsule;
    PyArray_ENABLEFLAGS((PyArrayObject *)array, NPY_ARRAY_OWNDATA);
    return array;
}

#else

PyObject *prepare_results(void) { Py_RETURN_NONE; }

PyObject *new_result(PyArray_Descr *type, int axes, const npy_intp *shape, npy_intp bytes) {
    Py_INCREF(type);
    return PyArray_NewFromDescr(&PyArray_Type, type, axes, (npy_intp *)shape, NULL, NULL, 0, NULL);
}

#endif

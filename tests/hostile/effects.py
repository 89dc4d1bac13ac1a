"""Effects: lists, dicts and objects that a body changes, also by methods that Python calls by itself."""

import collections
import functools
import itertools

import numpy as np

from hostile.cases import case, x12


@case((x12[:8] * 3,))
def effect_lsort(x):
    l = [3, 1, 2]
    s = 0.0
    for v in x:
        l.sort()
        s += v * l[0]
        l[0] = 5
    return s, l


@case((x12[:8] * 3,))
def effect_linsert(x):
    l = [1]
    s = 0.0
    for v in x:
        l.insert(0, 2)
        s += len(l) * v
    return s, l


@case((x12[:8] * 3,))
def effect_lpop(x):
    l = list(range(20))
    s = 0.0
    for v in x:
        s += v * l.pop()
    return s, l


@case((x12[:8] * 3,))
def effect_lswap(x):
    l = [1.0, 2.0, 3.0]
    for v in x:
        l[0], l[2] = l[2], l[0] + v
    return l


@case((x12[:8] * 3,))
def effect_lslice(x):
    l = [1.0, 2.0, 3.0]
    for v in x:
        l[1:] = [v, v * 2]
    return l


@case((x12[:8] * 3,))
def effect_lrev(x):
    l = [1.0, 2.0, 3.0]
    for v in x:
        l.reverse()
        l[0] += v
    return l


@case((x12[:8] * 3,))
def effect_lmul(x):
    l = [0.0] * 3
    for v in x:
        l = [l[1], l[2], v]
    return l


@case((x12[:8] * 3,))
def effect_dupd(x):
    d = {}
    for i, v in enumerate(x):
        d.update(a=v, b=i)
    return d


@case((x12[:8] * 3,))
def effect_dsetdef(x):
    d = {}
    for v in x:
        d.setdefault("k", v)
        d["k"] += 1
    return d


@case((x12[:8] * 3,))
def effect_ddict(x):
    d = collections.defaultdict(float)
    for i in range(len(x)):
        d[i % 3] += x[i]
    return dict(d)


@case((x12[:8] * 3,))
def effect_counter(x):
    c = collections.Counter()
    for v in x:
        c["pos" if v > 0 else "neg"] += 1
    return dict(c)


@case((x12[:8] * 3,))
def effect_deq(x):
    d = collections.deque([0.0, 0.0], maxlen=2)
    s = 0.0
    for v in x:
        d.append(v)
        s += d[0] * d[1]
    return s


@case((x12[:8] * 3,))
def effect_sets(x):
    s = set()
    for v in x:
        s.add(1 if v > 0 else 2)
    return sorted(s)


class Slots:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 0.0


@case((x12[:8] * 3,))
def effect_slots(x):
    o = Slots()
    for v in x:
        o.a += v
    return o.a


class Prop:
    def __init__(self):
        self._a = 0.0
        self.n = 0

    @property
    def a(self):
        self.n += 1
        return self._a

    @a.setter
    def a(self, v):
        self._a = v * 0.5


@case((x12[:8] * 3,))
def effect_props(x):
    o = Prop()
    for v in x:
        o.a += v
    return o.a, o.n


class Inc:
    def __init__(self):
        self.s = 0.0

    def __iadd__(self, v):
        self.s += v
        return self

    def __setitem__(self, k, v):
        self.s += k * v

    def __getitem__(self, k):
        return self.s * k

    def __len__(self):
        return 3

    def __enter__(self):
        self.s += 1
        return self

    def __exit__(self, *a):
        self.s *= 2

    def __bool__(self):
        self.s += 1
        return True


@case((x12[:8] * 3,))
def effect_iadd(x):
    o = Inc()
    for v in x:
        o += v
    return o.s


@case((x12[:8] * 3,))
def effect_setitem(x):
    o = Inc()
    for i, v in enumerate(x):
        o[i] = v
        o[2] += 1
    return o.s


@case((x12[:8] * 3,))
def effect_ctx(x):
    o = Inc()
    for v in x * 0.01:
        with o:
            o.s += v
    return o.s


@case((x12[:8] * 3,))
def effect_boolside(x):
    o = Inc()
    for v in x:
        if o and v > 0:
            o.s += v
    return o.s


@case((x12[:8] * 3,))
def effect_setattr(x):
    o = Prop()
    for v in x:
        o.n = o.n + 2
    return o.n


@case((x12[:8] * 3,))
def effect_dictattr(x):
    o = Prop()
    for v in x:
        o.__dict__["n"] += 3
    return o.n


@case((x12[:8] * 3,))
def effect_arrattr(x):
    o = Prop()
    o.arr = np.zeros(3)
    for i in range(len(x)):
        o.arr[i % 3] += x[i]
    return o.arr


@case((x12[:8] * 3,))
def effect_arrlist(x):
    l = [np.zeros(2), np.ones(2)]
    for i in range(len(x)):
        l[i % 2][0] += x[i]
    return l


@case((x12[:8] * 3,))
def effect_arrlist2(x):
    l = [np.zeros(2), np.ones(2)]
    for v in x:
        l[0][0] += v
        l[1] = l[0] * 2

    return l


@case((x12[:8] * 3,))
def effect_arrlist3(x):
    l = [np.zeros(2)] * 2
    for v in x:
        l[0][0] += v
    return l


@case((x12[:8] * 3,))
def effect_nextit(x):
    it = iter([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    s = 0.0
    for v in x:
        s += v * next(it)
    return s


@case((x12[:8] * 3,))
def effect_count(x):
    it = itertools.count(5)
    s = 0.0
    for v in x:
        s += v * next(it)
    return s


@case((x12[:8] * 3,))
def effect_zipit(x):
    s = 0.0
    for v, k in zip(x, itertools.count()):
        s += v * k
    return s


@case((x12[:8] * 3,))
def effect_zipshort(x):
    s = 0.0
    for v, k in zip(x, [1, 2, 3]):
        s += v * k
    return s


@case((x12[:8] * 3,))
def effect_zip3(x):
    s = 0.0
    for v, k, j in zip(x, x[2:], range(100)):
        s += v * k * j
    return s


@case((x12[:8] * 3,))
def effect_enumstart(x):
    s = 0.0
    for k, v in enumerate(x, 3):
        s += v * k
    return s, k


@case((x12[:8] * 3,))
def effect_rangeslice(x):
    s = 0.0
    for k in range(100)[2:8:2]:
        s += x[k]
    return s


@case((x12[:8] * 3,))
def effect_cache(x):
    @functools.lru_cache
    def f(k):
        return k * 2

    s = 0.0
    for i in range(len(x)):
        s += f(i % 3) * x[i]
    return s


@case((x12[:8] * 3,))
def effect_memo(x):
    m = {}

    def f(k):
        if k not in m:
            m[k] = len(m)
        return m[k]

    s = 0.0
    for i in range(len(x)):
        s += f(i % 3) * x[i]
    return s


@case((x12[:8] * 3,))
def effect_tryfin(x):
    s = 0.0
    n = 0
    for v in x:
        try:
            s += v
        finally:
            n += 1
    return s, n


@case((x12[:8] * 3,))
def effect_shortc(x):
    l = []

    def f(v):
        l.append(v)
        return True

    n = 0
    for v in x:
        if v > 0 and f(v):
            n += 1
    return n, len(l)


@case((x12[:8] * 3,))
def effect_ifexp_side(x):
    l = [0]

    def f(v):
        l[0] += 1
        return v

    s = 0.0
    for v in x:
        s += f(v) if v > 0 else 0
    return s, l


@case((x12[:8] * 3,))
def effect_stracc(x):
    s = ""
    for i, v in enumerate(x):
        s += "a" if i % 2 else "b"
    return s


@case((x12[:8] * 3,))
def effect_strdata(x):
    s = ""
    for v in x:
        s += "p" if v > 0 else "n"
    return s


@case((x12[:8] * 3,))
def effect_typedep(x):
    s = None
    for v in x:
        if s is None:
            s = [v]
        else:
            s.append(v)
    return np.array(s)


@case((x12[:8] * 3,))
def effect_dellist(x):
    l = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    s = 0.0
    for v in x:
        s += v * l[0]
        del l[0]
    return s, l


@case((x12[:8] * 3,))
def effect_inop(x):
    s = 0.0
    for i in range(len(x)):
        if i in (1, 3, 5):
            s += x[i]
        if x[i] in (0.5, 1.5):
            s += 100
    return s


@case((x12[:8] * 3,))
def effect_isop(x):
    a = []
    b = a
    n = 0
    for v in x:
        if a is b:
            n += 1
        a = [v]
    return n


@case((x12[:8] * 3,))
def effect_views(x):
    y = x.copy()
    v = y[2:5]
    w = y[::-1]
    for i in range(3):
        v[i] += w[i]
        w[0] = v[i]
        y[i] = v.sum()
    return y, v, w


@case((x12[:8] * 3,))
def effect_reassign_view(x):
    y = x.copy()
    v = y
    for i in range(3):
        v = v[1:]
        v[0] = i
    return y, v


@case((x12[:8] * 3,))
def effect_rows_views(x):
    m = x.reshape(2, 4).copy()
    for r in m:
        r[0] = r.sum()
        r[:] = r[::-1]
    return m


@case((x12[:8] * 3,))
def effect_fill(x):
    y = np.empty(8)
    for i in range(len(x)):
        y.fill(x[i])
        y[i] = 0
    return y


@case((x12[:8] * 3,))
def effect_out_arg(x):
    y = np.zeros(8)
    for i in range(3):
        np.add(y, x, out=y)
        np.multiply(y, 0.5, y)
    return y


@case((x12[:8] * 3,))
def effect_sort_inplace(x):
    y = x[::-1].copy()
    for i in range(3):
        y[i:].sort()
        y[0] = 10 - i
    return y

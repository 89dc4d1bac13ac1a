"""Steps, bounds, slice limits and positions that are read from arrays."""

import numpy as np

from hostile.cases import case, i6, m45, x12


@case((x12, i6), (x12, i6.astype(np.int32)), (x12, i6.astype(np.uint8)))
def step_from_array(x, step):
    out = np.zeros(len(step))
    for k in range(len(step)):
        for i in range(0, len(x), int(step[k])):
            out[k] += x[i]
    return out


@case((x12, i6), (x12, i6.astype(np.int32)))
def step_from_array_plain(x, step):
    out = np.zeros(len(step))
    for k in range(len(step)):
        for i in range(0, len(x), step[k]):
            out[k] += x[i] * i
    return out


@case((x12, -i6))
def negative_steps_from_data(x, step):
    out = np.zeros(len(step))
    for k in range(len(step)):
        for i in range(len(x) - 1, -1, int(step[k])):
            out[k] = out[k] * 0.5 + x[i]
    return out


@case((x12, i6 * np.array([1, -1, 1, -1, 1, -1])))
def steps_of_both_signs(x, step):
    n = 0
    for k in range(len(step)):
        for i in range(5, 5 + 3 * int(step[k]), int(step[k])):
            n += i
    return n


@case((x12, np.array([2, 0, 1])), (x12, np.array([2, 3, 1])))
def zero_step(x, step):
    s = 0.0
    for k in range(len(step)):
        for i in range(0, len(x), int(step[k])):
            s += x[i]
    return s


@case(
    (x12, i6),
)
def slice_limits_from_data(x, idx):
    out = np.zeros(len(idx))
    for k in range(len(idx)):
        out[k] = x[: int(idx[k])].sum() + x[int(idx[k]) :].max()
    return out


@case(
    (x12, i6),
)
def slice_steps_from_data(x, idx):
    s = 0.0
    for k in range(len(idx)):
        s += x[:: int(idx[k])].sum()
        x[idx[k] :: idx[k]] *= 0.5
    return s


@case(
    (x12, i6),
)
def slice_window_from_data(x, idx):
    out = []
    for k in range(len(idx)):
        a = int(idx[k])
        out.append(x[a : a + 3].sum())
    return np.array(out)


@case(
    (x12, i6),
)
def negative_slices_from_data(x, idx):
    s = 0.0
    for k in range(len(idx)):
        s += x[-int(idx[k]) :].sum() - x[: -int(idx[k])].sum()
    return s


@case(
    (x12, np.array([0, 3, 20, 12, 13, 11])),
)
def slices_beyond_the_end(x, idx):
    s = 0.0
    for k in range(len(idx)):
        s += x[: idx[k]].sum() + x[idx[k] :].sum() * 2
    return s


@case(
    (x12, i6),
)
def assigns_to_data_slice(x, idx):
    for k in range(len(idx)):
        x[idx[k] : idx[k] + 2] = k
    return x


@case(
    (m45, np.array([0, 2, 3]), np.array([1, 0, 4])),
)
def matrix_by_data(a, rows, cols):
    s = 0.0
    for r, c in zip(rows, cols):
        s += a[r, c] + a[r].sum() - a[:, c].max() + a[r, c:].sum()
        a[r, :c] += 1
    return s, a


@case(
    (np.array([4, 1, 3, 0, 2]),),
)
def follow_permutation(p):
    seen = np.zeros(len(p), dtype=bool)
    cycles = 0
    for i in range(len(p)):
        if seen[i]:
            continue
        j = i
        while not seen[j]:
            seen[j] = True
            j = p[j]
        cycles += 1
    return cycles, seen


@case(
    (np.array([0, 2, 2, 5, 6]), np.arange(6) * 1.5, np.array([1, 0, 3, 2, 1, 0]), np.ones(4)),
)
def csr_transposed(indptr, data, indices, x):
    y = np.zeros(4)
    for i in range(len(indptr) - 1):
        start, stop = indptr[i], indptr[i + 1]
        for k in range(start, stop):
            y[indices[k]] += data[k] * x[i]
    return y


@case(
    (np.array([0, 2, 2, 5, 6]), np.arange(6) * 1.5, np.array([1, 0, 3, 2, 1, 0]), np.ones(4)),
)
def csr_by_slices(indptr, data, indices, x):
    y = np.zeros(4)
    for i in range(4):
        lo, hi = indptr[i], indptr[i + 1]
        y[i] = data[lo:hi] @ x[indices[lo:hi]]
    return y


@case((np.array([3, 0, 5, 2]),), (np.array([0, 0]),))
def counts_to_positions(counts):
    out = np.zeros(counts.sum(), dtype=np.int64)
    at = 0
    for v in range(len(counts)):
        for _ in range(counts[v]):
            out[at] = v
            at += 1
    return out


@case((x12, 3.0), (x12, 2.7))
def int_of_a_float_as_bound(x, r):
    s = 0.0
    for i in range(len(x)):
        for j in range(int(r * abs(x[i]))):
            s += j * x[i]
    return s


@case(
    (np.array([5, 3, 8, 1, 9, 2]),),
)
def insertion_sort(a):
    for i in range(1, len(a)):
        key = a[i]
        j = i - 1
        while j >= 0 and a[j] > key:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = key
    return a


@case(
    (np.array([5, 3, 8, 1, 9, 2]),),
)
def bubble_sort(a):
    n = len(a)
    while True:
        swapped = False
        for i in range(n - 1):
            if a[i] > a[i + 1]:
                a[i], a[i + 1] = a[i + 1], a[i]
                swapped = True
        if not swapped:
            break
    return a


@case((np.sort(x12), 0.3), (np.sort(x12), -5.0), (np.sort(x12), 5.0))
def binary_search(a, v):
    lo, hi = 0, len(a)
    while lo < hi:
        mid = (lo + hi) // 2
        if a[mid] < v:
            lo = mid + 1
        else:
            hi = mid
    return lo


@case((i6,), (np.array([0, 0]),))
def gcd_of_all(a):
    g = 0
    for v in a:
        b = int(v)
        while b:
            g, b = b, g % b
    return g


@case((np.array([[2.0, 1, 1], [4, 3, 3], [8, 7, 9]]),), (np.array([[0.0, 1], [1, 0]]),))
def lu_with_pivots(a):
    n = len(a)
    p = np.arange(n)
    for k in range(n):
        m = k + np.argmax(np.abs(a[k:, k]))
        if m != k:
            a[[k, m]] = a[[m, k]]
            p[k], p[m] = p[m], p[k]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return a, p


@case((np.array([1, 0, 1, 1, 0], dtype=bool),))
def run_lengths(mask):
    best = run = 0
    for m in mask:
        run = run + 1 if m else 0
        best = max(best, run)
    return best


@case((x12, i6))
def scratch_of_data_size(x, n):
    s = 0.0
    for k in range(len(n)):
        m = int(n[k])
        buffer = np.zeros(m + 1)
        for i in range(m):
            buffer[i + 1] = buffer[i] + x[i] * k
        s += buffer[m] + buffer.sum()
    return s


@case((x12, i6))
def sorts_prefixes(x, n):
    s = 0.0
    for k in range(len(n)):
        part = np.sort(x[: int(n[k])][::-1])
        s += part[0] - part[-1] * k
    return s


@case((x12, i6), (x12[::-1].copy(), i6))
def slice_at_the_greatest(x, n):
    for k in range(len(n)):
        at = np.argmax(x)
        x[at:] *= 0.5
        x[: at + 1] -= 0.25
    return x


@case((x12, i6))
def data_slices_in_branches(x, n):
    for k in range(len(n)):
        if x[k] < 0:
            x[: n[k]] += 1
        elif n[k] > 1:
            m = n[k] * 2
            x[m : m + n[k]] -= x[0]
        else:
            continue
        x[k] *= 0.5
    return x


@case((x12, i6), (x12, i6 * 5))
def data_slices_in_while(x, n):
    k, s = 0, 0.0
    while k < len(n) and s < 9:
        s += x[k : k + int(n[k])].sum() + 1
        k += int(n[k])
    return s, k


@case((x12, i6))
def slices_of_slices_from_data(x, n):
    s = 0.0
    for k in range(len(n) - 1):
        part = x[int(n[k]) :]
        for j in range(int(n[k + 1])):
            s += part[j : int(n[j])].sum() + part[-int(n[j]) :][0]
    return s


@case((x12, i6))
def data_slices_outside_of_loops(x, n):
    m = int(n[0])
    x[m:] = 0
    return x[:m].sum(), x


@case((x12, i6))
def result_of_data_size(x, n):
    m = int(n.max())
    return x[:m] * 2


@case((x12, i6))
def carried_of_data_size(x, n):
    y = x
    for k in range(len(n)):
        y = x[: int(n[k])] + k
    return y


@case((x12, i6))
def shape_of_data_size(x, n):
    s = 0
    for k in range(len(n)):
        y = x[int(n[k]) :]
        s += len(y) * y.shape[0] + y.size
        if len(y) > 9:
            s += 100
    return s


@case((x12, np.array([0, 20, -20, 12, -12, -1])))
def slices_at_any_place(x, n):
    s = 0.0
    for k in range(len(n)):
        s += x[n[k] :].sum() + 2 * x[: n[k]].sum() + 3 * x[n[k] : n[k] + 3].sum() + 5 * x[2 : n[k]].sum()
        s += 7 * x[::-1][n[k] :].sum()
    return s


@case((m45, np.array([0, 3, 1])), (m45, np.array([0, 4, 1])), (m45, np.array([-1, -4, 2])))
def positions_beside_slices(a, rows):
    s = 0.0
    for k in range(len(rows)):
        s += a[rows[k], int(rows[k]) :].sum()
        a[rows[k], k : rows[k]] += 1
    return s, a


@case((np.array([3, 0, -2, 4]),), (np.array([3, 0, 0, 4]),))
def steps_that_may_be_zero(steps):
    total = 0
    for k in range(len(steps)):
        if steps[k] != 0 and k != 2:
            for i in range(10, 10 + 5 * int(steps[k]), int(steps[k])):
                total += i
        else:
            total -= 1
    return total


@case((x12, np.array([2, 3, 1])))
def iterates_slices_of_data_size(x, n):
    s = 0.0
    for m in n:
        for v in x[:m]:
            s = s * 0.5 + v
        for i, v in enumerate(x[m:]):
            s += i * v
    return s


@case((x12, i6), (x12, i6 - 1), (x12, i6 - 2))
def new_arrays_of_data_size(x, n):
    s = 0.0
    for k in range(len(n)):
        a = np.ones((2, n[k])) * x[k]
        b = np.zeros(n[k], dtype=np.float32)
        b[: n[k] // 2] = x[0]
        s += a.sum() + b.sum() + np.full(n[k] + 1, 2.0).sum() + np.arange(int(n[k]))[::-1].sum()
    return s


@case((x12, i6))
def data_slice_aliases(x, n):
    for k in range(len(n)):
        v = x[int(n[k]) :]
        w = v
        w[0] += 1
        v *= 0.5
        x[0] += w[-1]
    return x


@case((x12, i6))
def data_view_kept(x, n):
    best = x
    for k in range(len(n)):
        v = x[n[k] : n[k] + 3]
        if v.sum() > best.sum():
            best = v
    return best


@case((x12, i6))
def data_slice_both_sides(x, n):
    for k in range(len(n)):
        a = int(n[k])
        x[a : a + 4] = x[a + 1 : a + 5][::-1]
        x[:a], x[-a:] = x[-a:].copy(), x[:a].copy()
    return x


@case((x12, i6), (x12, i6 * 10))
def data_slice_mismatch(x, n):
    for k in range(len(n)):
        a = int(n[k])
        x[:a] = x[2 : a + 2]
    return x


@case((m45, i6))
def rows_by_data(a, n):
    out = []
    for k in range(len(n)):
        r = int(n[k]) % 4
        row = a[r]
        row[:r] = 0
        out.append(row[r:].sum())
    return np.array(out), a


@case((x12, i6))
def nested_data_ranges(x, n):
    s = 0.0
    for k in range(len(n)):
        for i in range(int(n[k])):
            for j in range(i, int(n[i]), int(n[k])):
                s += x[j] * (i + 1)
                if s > 5:
                    break
            else:
                s -= 0.1
    return s


@case((x12, i6))
def early_return_with_data_slice(x, n):
    for k in range(len(n)):
        part = x[: int(n[k])]
        if part.max() > 0:
            return part.sum(), k
    return 0.0, -1


@case((x12, i6))
def data_slice_then_jump(x, n):
    s = 0.0
    for k in range(len(n)):
        if n[k] == 2:
            continue
        p = x[n[k] :]
        if p[0] > 1:
            break
        s += p.min()
    return s


@case((x12, i6))
def shapes_compared(x, n):
    c = 0
    for k in range(len(n)):
        p = x[int(n[k]) :]
        if p.shape[0] == 9:
            c += 1
        if p.size > 10:
            c += 10
        c += p.ndim
    return c


@case((x12, i6))
def append_data_slices(x, n):
    parts = []
    for k in range(len(n)):
        parts.append(x[: int(n[k])])
    return np.concatenate(parts)


@case((x12, i6))
def append_data_sums(x, n):
    parts = []
    for k in n:
        parts.append(x[:k].sum())
    return np.stack(parts)


@case((x12, i6))
def dot_of_data_slices(x, n):
    s = 0.0
    for k in range(len(n)):
        a = int(n[k])
        s += x[:a] @ x[-a:] + np.dot(x[a:], x[a:]) + np.outer(x[:a], x[:a]).sum() + np.linalg.norm(x[:a])
    return s


@case((x12, i6))
def cumsum_of_data_slice(x, n):
    s = 0.0
    for k in range(len(n)):
        s += np.cumsum(x[: int(n[k])])[-1] + np.diff(x[int(n[k]) :]).max() + np.mean(x[int(n[k]) :]) + x[: int(n[k])].std()
    return s


@case((x12, i6))
def bool_mask_of_data_slice(x, n):
    s = 0.0
    for k in range(len(n)):
        p = x[int(n[k]) :]
        s += p[p > 0].sum()
        p[p < 0] = 0
    return s, x


@case((x12, i6))
def zero_size(x, n):
    s = 0.0
    for k in range(len(n)):
        a = int(n[k])
        s += x[a:a].sum() + x[a : a - 1].sum()
    return s


@case((x12, i6 - 1))
def max_of_maybe_empty(x, n):
    s = 0.0
    for k in range(len(n)):
        s += x[: int(n[k])].max()
    return s


@case((x12, np.array([3, 1, 20, 1])))
def zip_of_data_slices(x, n):
    s = 0.0
    for k in range(len(n)):
        for a, b in zip(x[: int(n[k])], x[1:]):
            s = s * 0.9 + a * b
    return s


@case((i6,))
def prefix_positions(n):
    out = np.zeros(20)
    at = 0
    for k in range(len(n)):
        out[at : at + n[k]] = k + 1
        at += n[k]
    return out, at


@case((i6,))
def prefix_positions_int(n):
    out = np.zeros(20)
    at = 0
    for k in range(len(n)):
        out[at : at + int(n[k])] += k + 1
        at += int(n[k])
    return out, at


@case((np.array([2, 1, 3]), np.arange(6.0)))
def ragged_means(lengths, data):
    at = 0
    means = np.empty(len(lengths))
    for k, l in enumerate(lengths):
        means[k] = data[at : at + l].mean()
        at += l
    return means

/* The fused expressions of benchmarks/expressions.py as a C programmer writes them by hand: one pass where one is enough, rows kept in the
   cache, vectors by `omp simd`, threads above a size, results in memory that the caller gives and gives again.

   Compiled twice, with REAL float and double: gcc -O3 -march=native -mprefer-vector-width=512 -fopenmp -fno-math-errno, with libmvec. Every function takes
   its arrays, then the result, then the sizes of the first array. */

#include <stdint.h>

#pragma omp declare simd notinbranch
double exp(double);
#pragma omp declare simd notinbranch
double log1p(double);
#pragma omp declare simd notinbranch
float expf(float);
#pragma omp declare simd notinbranch
float log1pf(float);
double log(double);
/* glibc's math.h has the vector forms for -ffast-math alone. */
#define EXP(x) _Generic((x), float: expf, double: exp)(x)
#define LOG1P(x) _Generic((x), float: log1pf, double: log1p)(x)
#define SQRT(x) _Generic((x), float: __builtin_sqrtf, double: __builtin_sqrt)(x)

#define MANY 65536
#define EACH(i, n, statement)                                                                                                         \
    do {                                                                                                                              \
        if ((n) < MANY) {                                                                                                             \
            _Pragma("omp simd") for (int64_t i = 0; i < (n); i++) { statement; }                                                      \
        } else {                                                                                                                      \
            _Pragma("omp parallel for simd schedule(static)") for (int64_t i = 0; i < (n); i++) { statement; }                        \
        }                                                                                                                             \
    } while (0)
#define TOTAL(type, s, i, n, expression)                                                                                              \
    type s = 0;                                                                                                                       \
    if ((n) < MANY) {                                                                                                                 \
        _Pragma("omp simd reduction(+ : s)") for (int64_t i = 0; i < (n); i++) s += (expression);                                     \
    } else {                                                                                                                          \
        _Pragma("omp parallel for simd reduction(+ : s)") for (int64_t i = 0; i < (n); i++) s += (expression);                        \
    }
#define EACH_ROW(i, statement)                                                                                                        \
    if (rows * columns < MANY) {                                                                                                      \
        for (int64_t i = 0; i < rows; i++) { statement; }                                                                             \
    } else {                                                                                                                          \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < rows; i++) { statement; }                                \
    }

typedef REAL real;

void polynomial(const real *restrict a, const real *restrict b, const real *restrict c, real *restrict out, int64_t n) {
    EACH(i, n, out[i] = 2 * a[i] + 3 * (b[i] * b[i]) + EXP(-c[i]));
}

void softplus(const real *restrict x, real *restrict out, int64_t n) { EACH(i, n, out[i] = LOG1P(EXP(x[i]))); }

static inline real largest(const real *restrict x, int64_t n) {
    real m = x[0];
#pragma omp simd reduction(max : m)
    for (int64_t j = 0; j < n; j++) m = x[j] > m ? x[j] : m;
    return m;
}

static inline real sum(const real *restrict x, int64_t n) {
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t j = 0; j < n; j++) s += x[j];
    return s;
}

static inline real squares(const real *restrict x, real mean, int64_t n) {
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t j = 0; j < n; j++) s += (x[j] - mean) * (x[j] - mean);
    return s;
}

static inline void softmax_row(const real *restrict x, real *restrict out, int64_t n) {
    const real m = largest(x, n);
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t j = 0; j < n; j++) s += out[j] = EXP(x[j] - m);
    const real by = 1 / s;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) out[j] *= by;
}

void softmax(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    EACH_ROW(i, softmax_row(x + i * columns, out + i * columns, columns));
}

static inline real logsumexp_row(const real *restrict x, int64_t n) {
    const real m = largest(x, n);
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t j = 0; j < n; j++) s += EXP(x[j] - m);
    return m + log(s);
}

void logsumexp(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    EACH_ROW(i, out[i] = logsumexp_row(x + i * columns, columns));
}

void squared_distance(const real *restrict a, const real *restrict b, real *restrict out, int64_t n) {
    TOTAL(real, s, i, n, (a[i] - b[i]) * (a[i] - b[i]));
    *out = s;
}

void mean_of_columns(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    for (int64_t j = 0; j < columns; j++) out[j] = 0;
#pragma omp parallel for reduction(+ : out[:columns]) if (rows * columns >= MANY)
    for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
        for (int64_t j = 0; j < columns; j++) out[j] += x[i * columns + j];
    }
    for (int64_t j = 0; j < columns; j++) out[j] /= rows;
}

void mean_of_rows(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    EACH_ROW(i, out[i] = sum(x + i * columns, columns) / columns);
}

void variance_of_columns(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    real mean[columns];
    mean_of_columns(x, mean, rows, columns);
    for (int64_t j = 0; j < columns; j++) out[j] = 0;
#pragma omp parallel for reduction(+ : out[:columns]) if (rows * columns >= MANY)
    for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
        for (int64_t j = 0; j < columns; j++) {
            const real d = x[i * columns + j] - mean[j];
            out[j] += d * d;
        }
    }
    for (int64_t j = 0; j < columns; j++) out[j] /= rows;
}

void variance_of_rows(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    EACH_ROW(i, out[i] = squares(x + i * columns, sum(x + i * columns, columns) / columns, columns) / columns);
}

static inline void normalised_row(const real *restrict x, real *restrict out, int64_t n) {
    const real mean = sum(x, n) / n, by = 1 / SQRT(squares(x, mean, n) / n);
#pragma omp simd
    for (int64_t j = 0; j < n; j++) out[j] = (x[j] - mean) * by;
}

void normalised_rows(const real *restrict x, real *restrict out, int64_t rows, int64_t columns) {
    EACH_ROW(i, normalised_row(x + i * columns, out + i * columns, columns));
}

void to_bytes(const real *restrict x, uint8_t *restrict out, int64_t n) {
    EACH(i, n, real v = x[i]; v = v < 0 ? 0 : v; v = v > 1 ? 1 : v; out[i] = (uint8_t)(int32_t)(v * 255));
}

void magnitude(const real *restrict z, real *restrict out, int64_t n) {
    EACH(i, n, out[i] = SQRT(z[2 * i] * z[2 * i] + z[2 * i + 1] * z[2 * i + 1]));
}

void count_positive(const real *restrict x, int64_t *restrict out, int64_t n) {
    TOTAL(int64_t, s, i, n, x[i] > 0);
    *out = s;
}

void count_inside(const real *restrict x, int64_t *restrict out, int64_t n) {
    TOTAL(int64_t, s, i, n, (x[i] > -1) & (x[i] < 1));
    *out = s;
}

void transposed_sum(const real *restrict a, const real *restrict b, real *restrict out, int64_t rows, int64_t columns) {
    const int64_t tile = 32;
#pragma omp parallel for collapse(2) if (rows * columns >= MANY)
    for (int64_t p = 0; p < columns; p += tile)
        for (int64_t q = 0; q < rows; q += tile) {
            const int64_t r = p + tile < columns ? p + tile : columns, s = q + tile < rows ? q + tile : rows;
            for (int64_t i = p; i < r; i++) {
#pragma omp simd
                for (int64_t j = q; j < s; j++) out[i * rows + j] = a[j * columns + i] + b[i * rows + j];
            }
        }
}

// The CPU engine: trains a block of instances for many steps without leaving the cache.
//
// It is compiled once per architecture (see fused.py), with the sizes and the model as constants:
//   FEATURES n, HIDDEN m, ABSOLUTE (the target is |x|), UNTIED, RELU_HIDDEN, NEGATIVE_SLOPE (of the output activation,
//   whose slope is 1 above 0), HIDDEN_BIAS, SETS, SIGNED, MINIMUM (magnitudes are uniform on [MINIMUM, 1]), ATTACKED,
//   PENALISED, TILE (samples per tile), SPARSE_RATIO (a tile is handled sparsely if fewer than one in so many of its
//   values are nonzero; 0: never).
//
// The inner axis of every array is the sample, LANES samples to a vector, so models of any size use the full width of
// the machine. Other loops that are worth vectorising are marked with omp simd.
// Every instance is computed independently and in the same order of operations, whatever block it is in, so results
// depend neither on how a sweep is split nor on the number of threads.
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace {

// The numbers of a vector's lanes, as template arguments.
template <int...>
struct Lanes {};
// A vector fills exactly one register, because compilers generate poor code for wider vectors.
#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr Lanes<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15> lanes;
#elif defined(__AVX2__)
constexpr int LANES = 8;
constexpr Lanes<0, 1, 2, 3, 4, 5, 6, 7> lanes;
#else
constexpr int LANES = 4;
constexpr Lanes<0, 1, 2, 3> lanes;
#endif
// A register block of sums, rows by columns of vectors, occupies most of the 32 or 16 registers. The sizes were measured.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int REGISTER_COLUMNS = 4;
#else
constexpr int REGISTER_COLUMNS = 2;
#endif
constexpr int n = FEATURES, m = HIDDEN, REGISTER_ROWS = m >= 5 ? 5 : 4;
static_assert(TILE % (4 * LANES) == 0, "a tile is a whole number of register blocks");
// Rows of uniforms: one per gate, then one per feature for the values of set members.
constexpr int ROWS = SETS ? 2 * n : n;
// If fewer than one in SPARSE_RATIO values of a tile are nonzero, products visit only these.
constexpr bool SPARSE = SPARSE_RATIO > 0;
// Hidden units, padded to whole vectors.
constexpr int UNITS = (m + LANES - 1) / LANES * LANES;
// Philox makes four rows at a time. Under attack, one more row picks the feature that is attacked.
constexpr int QUADS = (ROWS + ATTACKED + 3) / 4;

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));
// Of the types below, all but halfvec have as many bytes as a vec; wide and real have half as many lanes.
typedef uint64_t wide __attribute__((vector_size(sizeof(vec))));
typedef uint32_t word __attribute__((vector_size(sizeof(vec))));
typedef float halfvec __attribute__((vector_size(sizeof(vec) / 2)));
typedef double real __attribute__((vector_size(sizeof(vec))));

// Offset of each parameter in an instance's row of parameters. W is [m][n], one row per hidden unit.
constexpr int W_IN = 0, W_OUT = UNTIED ? m * n : 0, BIAS = W_OUT + m * n, HIDDEN_BIAS_AT = BIAS + n,
              PARAMETERS = HIDDEN_BIAS_AT + (HIDDEN_BIAS ? m : 0);
// The smallest models are trained entirely in registers, which hold the gradients and all intermediate values of a
// vector of samples. For n = 4 and above this was measured to be slower, with 16 registers as well as with 32.
constexpr bool IN_REGISTERS =
    PARAMETERS + 2 * (n + m) <= 20 && !(UNTIED || HIDDEN_BIAS || SETS || ATTACKED || PENALISED);

// One number per hidden unit, of a sample or of a feature.
struct alignas(64) Row {
    float unit[UNITS];
};
// One bit per sample.
typedef uint64_t Bits[TILE / 64];

// The weights of an instance and their gradients with the feature as outer axis, made for the first tile of a step that
// is handled sparsely.
struct Columns {
    bool used = false;
    Row in[n], in_gradient[n], out[UNTIED ? n : 1], out_gradient[UNTIED ? n : 1];
};

struct Tile {
    alignas(64) float uniform[4 * QUADS][TILE];
    alignas(64) float gate[SETS ? n : 1][TILE];
    alignas(64) float x[n][TILE], dz[n][TILE], h[m][TILE], dh[m][TILE];
    alignas(64) float attacked_x[ATTACKED ? n : 1][TILE];
    alignas(64) int32_t attacked[TILE];  // index of the attacked feature
    Row sample_h[SPARSE ? TILE : 1], sample_dh[SPARSE ? TILE : 1];  // h and dh with the sample as outer axis
    Bits active[n], nonzero_dz[n];                                   // where x and dz are nonzero
};

// The input of the model: x, under attack if there is one.
inline auto& input(Tile& tile) {
    if constexpr (ATTACKED)
        return tile.attacked_x;
    else
        return tile.x;
}

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
inline vec relu(vec a) { return a > 0.f ? a : vec{}; }

// Returns a number per lane, starting at 0.
template <int... L>
inline mask numbers(Lanes<L...>) {
    return mask{L...};
}

// Marks a loop over the registers of a block. Otherwise GCC 12 may turn the loop into a memcpy and keep the whole block
// on the stack.
#define UNROLLED _Pragma("GCC unroll 32")

// The two instructions that no expression generates are written as assembly, and <cmath> and <vector> are avoided: the
// headers that declare them take as long to compile as all of this file.

// Returns one bit per lane, set if the lane is nonzero.
inline uint64_t nonzero(vec a) {
#if defined(__AVX512F__)
    uint16_t bits;
    asm("vcmpneqps %2, %1, %0" : "=k"(bits) : "v"(a), "v"(vec{}));
#elif defined(__AVX2__)
    uint32_t bits;
    asm("vmovmskps %1, %0" : "=r"(bits) : "x"(a != vec{}));
#else
    uint64_t bits = 0;
    for (int l = 0; l < LANES; ++l) bits |= uint64_t(a[l] != 0.f) << l;
#endif
    return bits;
}

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, mask{__VA_ARGS__})
#endif

// Adds every second block of BLOCK lanes to the block before it, in a and in b; returns the sums of a before those of b.
template <int BLOCK, int... L>
inline vec add_blocks(vec a, vec b, Lanes<L...>) {
    return SHUFFLE(a, b, (L / BLOCK * 2 * BLOCK + L % BLOCK)...) +
           SHUFFLE(a, b, (L / BLOCK * 2 * BLOCK + L % BLOCK + BLOCK)...);
}

// Adds neighbouring blocks of BLOCK lanes to each other, then ever smaller ones.
template <int BLOCK, int... L>
inline vec add_neighbours(vec a, Lanes<L...> all) {
    if constexpr (BLOCK == 0)
        return a;
    else
        return add_neighbours<BLOCK / 2>(a + SHUFFLE(a, a, (L ^ BLOCK)...), all);
}

// Adds the sum over the lanes of a[k] to to[k], for every k < K with K of at most 4.
template <int K>
inline void add_sums(const vec* a, float* to) {
    const vec b = K > 1 ? a[K > 1] : vec{}, c = K > 2 ? a[2 * (K > 2)] : vec{}, d = K > 3 ? a[3 * (K > 3)] : vec{};
    // Add the halves of two vectors, then the quarters of four, then the lanes within each quarter.
    const vec ab = add_blocks<LANES / 2>(a[0], b, lanes), cd = add_blocks<LANES / 2>(c, d, lanes);
    const vec s = add_neighbours<LANES / 8>(add_blocks<LANES / 4>(ab, cd, lanes), lanes);
    for (int k = 0; k < K; ++k) to[k] += s[k * (LANES / 4)];
}

// Returns the 64-bit products of b and the lower halves of a's lanes.
inline wide multiply_low_halves(wide a, uint32_t b) {
    const wide factor = uint64_t(b) - wide{};
#ifdef __AVX2__
    wide product;
    asm("vpmuludq %2, %1, %0" : "=v"(product) : "v"(a), "v"(factor));
    return product;
#else
    return (a & 0xFFFFFFFFull) * factor;
#endif
}

// Marks functions that are called in several places. Inlining them everywhere would compile a quarter more slowly.
#define SHARED [[gnu::noinline, gnu::noclone]]

// The purpose of a draw, as in draws.py.
constexpr uint32_t TRAINING = 0, EVALUATION = 1;

// Draws uniforms in [0, 1) with 24 bits each, by Philox4x32-10 (Salmon et al. 2011) with the counter (sample, row quad,
// step, purpose) and the key (seed, restart): the same numbers as in draws.py.
SHARED void draw(Tile& tile, uint32_t first, uint32_t step, uint32_t purpose, uint32_t seed, uint32_t restart) {
    wide even;  // numbers of the even samples; odd samples are one further
    for (int l = 0; l < LANES / 2; ++l) even[l] = 2 * l;
    for (int quad = 0; quad < QUADS; ++quad)
        for (int t = 0; t < TILE; t += LANES) {
            // 32-bit words in 64-bit lanes; the upper halves of the lanes are ignored.
            wide c[2][4];
            UNROLLED for (int odd = 0; odd < 2; ++odd) {
                c[odd][0] = first + t + odd + even;
                c[odd][1] = uint64_t(quad) - wide{};
                c[odd][2] = uint64_t(step) - wide{};
                c[odd][3] = uint64_t(purpose) - wide{};
            }
            uint32_t k0 = seed, k1 = restart;
            UNROLLED for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
                UNROLLED for (auto& [c0, c1, c2, c3] : c) {
                    const wide a = multiply_low_halves(c0, 0xD2511F53u), b = multiply_low_halves(c2, 0xCD9E8D57u);
                    c0 = (b >> 32) ^ c1 ^ uint64_t(k0);
                    c1 = b;
                    c2 = (a >> 32) ^ c3 ^ uint64_t(k1);
                    c3 = a;
                }
            UNROLLED for (int r = 0; r < 4; ++r) {
                const auto words = word((c[0][r] & 0xFFFFFFFFull) | c[1][r] << 32);
                store(&tile.uniform[4 * quad + r][t], __builtin_convertvector(mask(words >> 8), vec) * 0x1p-24f);
            }
        }
    if constexpr (ATTACKED)
        for (int t = 0; t < TILE; ++t) {
            const int i = int(tile.uniform[ROWS][t] * float(n));
            tile.attacked[t] = i < n ? i : n - 1;
        }
}

}  // namespace

// The feature distribution and the loss of all instances, or of one of them and those after it; features.py explains
// gates.
struct Data {
    const float *gate_density, *any_from;     // [count][n] P(gate active); P(this gate or a later one active)
    const float *low, *high, *inverse_width;  // [count][n] a feature is active if its gate's number is in [low, high)
    const int32_t *gate, *own_value;          // [count][n] the feature's gate; whether its value is a second number
    const float* importance;                  // [count][n]
    const float* all_zero;                    // [count] P(no gate active)
    const float *attack, *l1;  // [count] size of the attacks, weight of the sum of |h|; only if ATTACKED or PENALISED
    const float* shift;        // [n][n] change of feature j under the attack on feature i; made for one instance
};

namespace {

// Scales the number of a gate, unless an earlier gate is active already; notes in `any_active` whether this one is.
inline vec scale_gate(vec u, float any_from, float density, mask& any_active) {
    u = any_active ? u : u * any_from;
    any_active |= u < density;
    return u;
}

// Turns a number that is uniform on [0, 1) into the value of an active feature.
inline vec active_value(vec value) {
    if constexpr (SIGNED) value = 2.f * value - 1.f;
    if constexpr (MINIMUM > 0) {
        constexpr float minimum = MINIMUM, width = 1 - minimum;
        return width * value + (value < 0.f ? -minimum : minimum + vec{});
    }
    return value;
}

// Returns the value of an independent feature from the number of its gate.
inline vec feature_value(vec u, float density, float inverse_width) {
    return u < density ? active_value(u * inverse_width) : vec{};
}

// Computes the feature values of one tile for one instance, given that at least one gate is active.
SHARED void compute_features(Tile& tile, const Data& d) {
    // Every row depends on the one before it, so four vectors are interleaved to hide the latency.
    for (int t = 0; t < TILE; t += 4 * LANES) {
        mask any_active[4] = {};
        for (int r = 0; r < n; ++r) {
            const float any_from = d.any_from[r], density = d.gate_density[r], inverse_width = d.inverse_width[r];
            UNROLLED for (int v = 0; v < 4; ++v) {
                const vec u = scale_gate(load(&tile.uniform[r][t + v * LANES]), any_from, density, any_active[v]);
                if constexpr (SETS)
                    store(&tile.gate[r][t + v * LANES], u);
                else
                    store(&tile.x[r][t + v * LANES], feature_value(u, density, inverse_width));
            }
        }
    }
    if constexpr (SETS)
        for (int j = 0; j < n; ++j)
            for (int t = 0; t < TILE; t += LANES) {
                vec u = load(&tile.gate[d.gate[j]][t]);
                vec value = d.own_value[j] ? load(&tile.uniform[n + j][t]) : (u - d.low[j]) * d.inverse_width[j];
                store(&tile.x[j][t], ((u >= d.low[j]) & (u < d.high[j])) ? active_value(value) : vec{});
            }
    if constexpr (ATTACKED)
        for (int j = 0; j < n; ++j) {
            const float* shift = d.shift + j * n;
#pragma omp simd
            for (int t = 0; t < TILE; ++t) tile.attacked_x[j][t] = tile.x[j][t] + shift[tile.attacked[t]];
        }
}

// Computes the analytic attack on every feature i, as column i of shift: size (WᵀW)_ij / |(WᵀW)_i|.
void compute_attacks(const float* p, float size, float* shift) {
    for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) shift[j * n + i] = 0.f;
    for (int k = 0; k < m; ++k)
        for (int j = 0; j < n; ++j) {
            const float w = p[W_IN + k * n + j];
#pragma omp simd
            for (int i = 0; i < n; ++i) shift[j * n + i] += w * p[W_IN + k * n + i];
        }
    float norm[n] = {};
    for (int j = 0; j < n; ++j)
#pragma omp simd
        for (int i = 0; i < n; ++i) norm[i] += shift[j * n + i] * shift[j * n + i];
    for (int i = 0; i < n; ++i) norm[i] = size / __builtin_fmaxf(__builtin_sqrtf(norm[i]), 1e-12f);
    for (int j = 0; j < n; ++j)
#pragma omp simd
        for (int i = 0; i < n; ++i) shift[j * n + i] *= norm[i];
}

// A number as a type, so that a function may be compiled for it.
template <int VALUE>
struct Constant {
    constexpr operator int() const { return VALUE; }
};

// Divides the numbers below TOTAL into blocks of SIZE and a smaller last one; calls `visit` with the size and the first
// number of each.
template <int SIZE, int TOTAL, class Visit>
inline void for_each_block(Visit visit) {
    int first = 0;
    for (; first + SIZE <= TOTAL; first += SIZE) visit(Constant<SIZE>(), first);
    if constexpr (TOTAL % SIZE) visit(Constant<TOTAL % SIZE>(), first);
}

// Computes out[r] = finish(r, t, sum over k of weight[r * RS + k * KS] * in[k]), in register blocks.
template <int OUT, int IN, int RS, int KS, class Finish>
inline void product(const float* weight, const float (*in)[TILE], float (*out)[TILE], Finish finish) {
    constexpr int C = REGISTER_COLUMNS;
    for (int t = 0; t < TILE; t += C * LANES)
        // The pointers are captured by value, so that they stay in registers.
        for_each_block<REGISTER_ROWS, OUT>([=](auto rows, int r) {
            constexpr int R = rows;
            vec a[R][C] = {};
            for (int k = 0; k < IN; ++k) {
                vec x[C];
                UNROLLED for (int v = 0; v < C; ++v) x[v] = load(&in[k][t + v * LANES]);
                UNROLLED for (int i = 0; i < R; ++i) {
                    const float w = weight[(r + i) * RS + k * KS];
                    UNROLLED for (int v = 0; v < C; ++v) a[i][v] += w * x[v];
                }
            }
            UNROLLED for (int i = 0; i < R; ++i)
                UNROLLED for (int v = 0; v < C; ++v)
                    store(&out[r + i][t + v * LANES], finish(r + i, t + v * LANES, a[i][v]));
        });
}

// Two arrays with one row per hidden unit and per feature.
struct Factors {
    const float (*hidden)[TILE], (*feature)[TILE];
};

// Computes s[r][c] += hidden[r] feature[c] for one vector of samples.
template <int R, int C>
inline void add_products(vec (&s)[R][C], const Factors& of, int t) {
    vec y[C];
    UNROLLED for (int c = 0; c < C; ++c) y[c] = load(&of.feature[c][t]);
    UNROLLED for (int r = 0; r < R; ++r) {
        const vec x = load(&of.hidden[r][t]);
        UNROLLED for (int c = 0; c < C; ++c) s[r][c] += x * y[c];
    }
}

// Computes g[r][c] += sum over samples and over all factors of hidden[r] feature[c], in one register block.
template <int R, int C, class... All>
SHARED void outer_block(float* g, All... factors) {
    vec s[R][C] = {};
    for (int t = 0; t < TILE; t += LANES) (add_products(s, factors, t), ...);
    UNROLLED for (int r = 0; r < R; ++r) add_sums<C>(s[r], g + r * n);
}

// Does the same for all of g.
template <class... All>
inline void add_outer_products(float* g, All... factors) {
    for_each_block<REGISTER_ROWS, m>([&](auto rows, int i) {
        for_each_block<REGISTER_COLUMNS, n>([&](auto columns, int j) {
            outer_block<rows, columns>(g + i * n + j, Factors{factors.hidden + i, factors.feature + j}...);
        });
    });
}

// Marks where `in` is nonzero; returns whether it is so sparse that visiting the nonzero values one by one pays off.
inline bool is_sparse(const float (*in)[TILE], Bits* bits) {
    int count = 0;
    for (int j = 0; j < n; ++j)
        for (int w = 0; w < TILE / 64; ++w) {
            uint64_t b = 0;
            for (int v = 0; v < 64; v += LANES) b |= nonzero(load(&in[j][64 * w + v])) << v;
            bits[j][w] = b;
            count += __builtin_popcountll(b);
        }
    return count * SPARSE_RATIO < n * TILE;
}

// Calls `visit` with the number of every sample whose bit is set.
template <class Visit>
inline void for_each_bit(const Bits& bits, Visit visit) {
    for (int w = 0; w < TILE / 64; ++w)
        for (uint64_t b = bits[w]; b; b &= b - 1) visit(64 * w + __builtin_ctzll(b));
}

// Computes to += a * b.
inline void add(Row& to, float a, const Row& b) {
    for (int v = 0; v < UNITS; v += LANES) store(&to.unit[v], load(&to.unit[v]) + a * load(&b.unit[v]));
}

// Transposes a square of vectors: swaps the off-diagonal blocks of BLOCK by BLOCK, then recurses into smaller blocks.
template <int BLOCK = LANES / 2, int... L>
inline void transpose_square(vec* a, Lanes<L...> all) {
    UNROLLED for (int k = 0; k < LANES; ++k)
        if (!(k & BLOCK)) {
            const vec low = a[k], high = a[k + BLOCK];
            a[k] = SHUFFLE(low, high, (L & BLOCK ? L - BLOCK + LANES : L)...);
            a[k + BLOCK] = SHUFFLE(low, high, (L & BLOCK ? L + LANES : L + BLOCK)...);
        }
    if constexpr (BLOCK > 1) transpose_square<BLOCK / 2>(a, all);
}

// Transposes rows of hidden units, one per sample, to rows of samples, one per hidden unit.
inline void transpose(const Row* rows, float (*out)[TILE]) {
    for (int i = 0; i < m; i += LANES)
        for (int t = 0; t < TILE; t += LANES) {
            vec a[LANES];
            UNROLLED for (int k = 0; k < LANES; ++k) a[k] = load(&rows[t + k].unit[i]);
            transpose_square(a, lanes);
            UNROLLED for (int k = 0; k < LANES; ++k)
                if (i + k < m) store(&out[i + k][t], a[k]);
        }
}

// Transposes rows of samples to rows of hidden units; the values of the padding units do not matter.
inline void transpose(const float (*in)[TILE], Row* rows) {
    for (int i = 0; i < m; i += LANES)
        for (int t = 0; t < TILE; t += LANES) {
            vec a[LANES];
            UNROLLED for (int k = 0; k < LANES; ++k) a[k] = i + k < m ? load(&in[i + k][t]) : vec{};
            transpose_square(a, lanes);
            UNROLLED for (int k = 0; k < LANES; ++k) store(&rows[t + k].unit[i], a[k]);
        }
}

inline vec target(vec x) {
    if constexpr (ABSOLUTE) return x > 0.f ? x : -x;
    return x;
}

// Fills the columns, unless an earlier tile of the step has done so.
void fill_columns(Columns& c, const float* p) {
    if (c.used) return;
    c.used = true;
    for (Row& gradient : c.in_gradient) gradient = {};
    for (Row& gradient : c.out_gradient) gradient = {};
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
            c.in[j].unit[i] = p[W_IN + i * n + j];
            if constexpr (UNTIED) c.out[j].unit[i] = p[W_OUT + i * n + j];
        }
}

// Adds the gradients of the columns to g at the end of a step.
void add_column_gradients(Columns& c, float* g) {
    if (!c.used) return;
    c.used = false;
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
            g[W_IN + i * n + j] += c.in_gradient[j].unit[i];
            if constexpr (UNTIED) g[W_OUT + i * n + j] += c.out_gradient[j].unit[i];
        }
}

SHARED void compute_hidden(Tile& tile, const float* p) {
    product<m, n, n, 1>(p + W_IN, input(tile), tile.h, [&](int i, int, vec a) {
        if constexpr (HIDDEN_BIAS) a += p[HIDDEN_BIAS_AT + i];
        return RELU_HIDDEN ? relu(a) : a;
    });
}

// Does the same as `compute_hidden`, visiting only active features.
void compute_sparse_hidden(Tile& tile, const float* p, const Columns& c) {
    Row start{};
    if constexpr (HIDDEN_BIAS) std::memcpy(start.unit, p + HIDDEN_BIAS_AT, sizeof(float) * m);
    for (Row& h : tile.sample_h) h = start;
    for (int j = 0; j < n; ++j)
        for_each_bit(tile.active[j], [&](int t) { add(tile.sample_h[t], input(tile)[j][t], c.in[j]); });
    if constexpr (RELU_HIDDEN)
        for (Row& h : tile.sample_h)
            for (int v = 0; v < UNITS; v += LANES) store(&h.unit[v], relu(load(&h.unit[v])));
    transpose(tile.sample_h, tile.h);
}

// Computes dh and the gradient of the output weights, visiting only outputs with a nonzero slope.
void compute_sparse_hidden_slope(Tile& tile, Columns& c) {
    const Row* out = UNTIED ? c.out : c.in;
    Row* gradient = UNTIED ? c.out_gradient : c.in_gradient;
    for (Row& dh : tile.sample_dh) dh = {};
    for (int j = 0; j < n; ++j) {
        Row g = gradient[j];
        for_each_bit(tile.nonzero_dz[j], [&](int t) {
            add(tile.sample_dh[t], tile.dz[j][t], out[j]);
            add(g, tile.dz[j][t], tile.sample_h[t]);
        });
        gradient[j] = g;
    }
    if constexpr (RELU_HIDDEN)
        for (int t = 0; t < TILE; ++t)
            for (int v = 0; v < UNITS; v += LANES) {
                float* dh = &tile.sample_dh[t].unit[v];
                store(dh, load(&tile.sample_h[t].unit[v]) > 0.f ? load(dh) : vec{});
            }
}

// Computes the gradient of the input weights, visiting only active features.
void add_sparse_input_gradient(const Tile& tile, const float (*x)[TILE], Columns& c) {
    for (int j = 0; j < n; ++j) {
        Row g = c.in_gradient[j];
        for_each_bit(tile.active[j], [&](int t) { add(g, x[j][t], tile.sample_dh[t]); });
        c.in_gradient[j] = g;
    }
}

// Returns the weight in the loss of a batch of every sample but the all-zero one, whose weight is `all_zero`.
inline float sample_weight(const Data& d, int batch) { return d.any_from[0] / float(batch - 1); }

// Returns an output from z, its value before the activation.
inline vec output(vec z) {
    if constexpr (NEGATIVE_SLOPE == 0) return relu(z);
    if constexpr (NEGATIVE_SLOPE == 1) return z;
    return z > 0.f ? z : float(NEGATIVE_SLOPE) * z;
}

// Returns the derivative of scale / 2 times the squared error of an output with respect to z.
inline vec error_slope(vec z, vec x, float scale) {
    if constexpr (NEGATIVE_SLOPE == 0) return z > 0.f ? scale * (z - target(x)) : vec{};
    const vec slope = scale * (output(z) - target(x));
    if constexpr (NEGATIVE_SLOPE == 1) return slope;
    return z > 0.f ? slope : float(NEGATIVE_SLOPE) * slope;
}

// Computes dz, the gradient of the weighted loss with respect to the outputs before their activation. Sample 0 has the
// weight of the all-zero sample, and samples past the end of the batch have none.
void compute_output_slope(Tile& tile, const Data& d, const float* p, int first, int batch) {
    const float weight = sample_weight(d, batch);
    product<n, m, 1, n>(p + W_OUT, tile.h, tile.dz, [&](int j, int t, vec a) {
        return error_slope(a + p[BIAS + j], load(&tile.x[j][t]), 2.f * weight * d.importance[j]);
    });
    if (first == 0)
        for (int j = 0; j < n; ++j) tile.dz[j][0] *= *d.all_zero / weight;
    for (int t = batch - first; t < TILE; ++t)
        for (int j = 0; j < n; ++j) tile.dz[j][t] = 0.f;
}

// Computes dh, the gradient with respect to the hidden units before their activation.
void compute_hidden_slope(Tile& tile, const float* p) {
    product<m, n, n, 1>(p + W_OUT, tile.dz, tile.dh, [&](int i, int t, vec a) {
        if constexpr (RELU_HIDDEN) return load(&tile.h[i][t]) > 0.f ? a : vec{};
        return a;
    });
}

// Adds the gradient of the L1 penalty to dh.
void add_penalty_slope(Tile& tile, const Data& d, int first, int batch) {
    const float weight = sample_weight(d, batch);
    alignas(64) float slope[TILE];
    for (int t = 0; t < TILE; ++t) slope[t] = first + t >= batch ? 0.f : *d.l1 * (first + t ? weight : *d.all_zero);
    for (int i = 0; i < m; ++i)
        for (int t = 0; t < TILE; t += LANES) {
            const vec h = load(&tile.h[i][t]), s = load(&slope[t]);
            store(&tile.dh[i][t], load(&tile.dh[i][t]) + (h > 0.f ? s : h < 0.f ? -s : vec{}));
        }
}

// Computes to[r] += sum over samples of a[r].
template <int COUNT>
void add_row_sums(const float (*a)[TILE], float* to) {
    for (int r = 0; r < COUNT; ++r) {
        vec s{};
        for (int t = 0; t < TILE; t += LANES) s += load(&a[r][t]);
        add_sums<1>(&s, to + r);
    }
}

// Adds the gradient of the weighted loss of one tile to g or, where the tile is handled sparsely, to the columns.
void add_gradient(Tile& tile, const Data& d, const float* p, float* g, Columns* c, int first, int batch) {
    const bool sparse_input = SPARSE && is_sparse(input(tile), tile.active);
    if (sparse_input) {
        fill_columns(*c, p);
        compute_sparse_hidden(tile, p, *c);
    } else {
        compute_hidden(tile, p);
    }
    compute_output_slope(tile, d, p, first, batch);
    const bool sparse_slope = SPARSE && is_sparse(tile.dz, tile.nonzero_dz);
    if (sparse_slope) {
        fill_columns(*c, p);
        if (!sparse_input) transpose(tile.h, tile.sample_h);
        compute_sparse_hidden_slope(tile, *c);
        if (!sparse_input || HIDDEN_BIAS || PENALISED) transpose(tile.sample_dh, tile.dh);
    } else {
        compute_hidden_slope(tile, p);
    }
    if constexpr (PENALISED) add_penalty_slope(tile, d, first, batch);
    if (sparse_input) {
        if (!sparse_slope || PENALISED) transpose(tile.dh, tile.sample_dh);
        add_sparse_input_gradient(tile, input(tile), *c);
    }
    const Factors of_output{tile.h, tile.dz}, of_input{tile.dh, input(tile)};
    if (!UNTIED && !sparse_input && !sparse_slope) {
        add_outer_products(g + W_IN, of_output, of_input);
    } else {
        if (!sparse_slope) add_outer_products(g + W_OUT, of_output);
        if (!sparse_input) add_outer_products(g + W_IN, of_input);
    }
    add_row_sums<n>(tile.dz, g + BIAS);
    if constexpr (HIDDEN_BIAS) add_row_sums<m>(tile.dh, g + HIDDEN_BIAS_AT);
}

// Does the same as `compute_features` and `add_gradient` for the smallest models, in a single pass with all sums in the
// same order.
void add_gradient_in_registers(const Tile& tile, const Data& d, const float* p, float* g, int first, int batch) {
    const float weight = sample_weight(d, batch);
    const int stop = batch - first < TILE ? batch - first : TILE;
    const mask lane = numbers(lanes);
    vec W_gradient[m][n] = {}, b_gradient[n] = {};
    // Adds one vector of samples. Only the vectors at either end have the all-zero sample or samples past the batch.
    const auto add_samples = [&](int t, auto at_end) __attribute__((always_inline)) {
        vec x[n], h[m] = {}, dz[n], dh[m] = {};
        mask any_active{};
        UNROLLED for (int j = 0; j < n; ++j) {
            const vec u = scale_gate(load(&tile.uniform[j][t]), d.any_from[j], d.gate_density[j], any_active);
            x[j] = feature_value(u, d.gate_density[j], d.inverse_width[j]);
            if (at_end) x[j] = first + t + lane > 0 ? x[j] : vec{};
        }
        UNROLLED for (int i = 0; i < m; ++i) {
            UNROLLED for (int j = 0; j < n; ++j) h[i] += p[W_IN + i * n + j] * x[j];
            if constexpr (RELU_HIDDEN) h[i] = relu(h[i]);
        }
        UNROLLED for (int j = 0; j < n; ++j) {
            vec a{};
            UNROLLED for (int i = 0; i < m; ++i) a += p[W_OUT + i * n + j] * h[i];
            dz[j] = error_slope(a + p[BIAS + j], x[j], 2.f * weight * d.importance[j]);
            if (at_end) {
                dz[j] = first + t + lane > 0 ? dz[j] : dz[j] * (*d.all_zero / weight);
                dz[j] = t + lane < stop ? dz[j] : vec{};
            }
            b_gradient[j] += dz[j];
        }
        UNROLLED for (int i = 0; i < m; ++i) {
            UNROLLED for (int j = 0; j < n; ++j) dh[i] += p[W_OUT + i * n + j] * dz[j];
            if constexpr (RELU_HIDDEN) dh[i] = h[i] > 0.f ? dh[i] : vec{};
            UNROLLED for (int j = 0; j < n; ++j) {
                W_gradient[i][j] += h[i] * dz[j];
                W_gradient[i][j] += dh[i] * x[j];
            }
        }
    };
    int t = LANES;
    add_samples(0, Constant<true>());
    for (; t + LANES <= stop; t += LANES) add_samples(t, Constant<false>());
    if (t < stop) add_samples(t, Constant<true>());
    UNROLLED for (int i = 0; i < m; ++i)
        UNROLLED for (int j = 0; j < n; ++j) add_sums<1>(&W_gradient[i][j], g + W_IN + i * n + j);
    UNROLLED for (int j = 0; j < n; ++j) add_sums<1>(&b_gradient[j], g + BIAS + j);
}

// Returns the data of instance i.
Data data_of_instance(const Data& d, const float* shifts, int i) {
    Data at = d;
    if constexpr (ATTACKED) at.shift = shifts + long(i) * n * n;
    if constexpr (PENALISED) at.l1 += i;
    for (const float** a : {&at.gate_density, &at.any_from, &at.low, &at.high, &at.inverse_width, &at.importance})
        *a += i * n;
    at.gate += i * n;
    at.own_value += i * n;
    at.all_zero += i;
    return at;
}

// Takes a step of AdamW, counted from 0, for `size` parameters.
void adamw(long size, const float* gradients, float* parameters, float* mean, float* square, int step, float rate,
           float weight_decay, float beta1, float beta2, float epsilon) {
    const float unbias1 = 1.f / (1.f - __builtin_powf(beta1, step + 1.f)),
                unbias2 = 1.f / (1.f - __builtin_powf(beta2, step + 1.f));
#pragma omp simd
    for (long k = 0; k < size; ++k) {
        const float g = gradients[k];
        mean[k] = beta1 * mean[k] + (1.f - beta1) * g;
        square[k] = beta2 * square[k] + (1.f - beta2) * g * g;
        parameters[k] -= rate * (weight_decay * parameters[k] +
                                 mean[k] * unbias1 / (__builtin_sqrtf(square[k] * unbias2) + epsilon));
    }
}

}  // namespace

extern "C" {

// Takes steps [start, stop) of AdamW (see engine.py) for `count` instances that share the stream (seed, restart).
//   parameters, mean, square: [count][PARAMETERS], updated in place.
//   gradients: [count][PARAMETERS], scratch memory that holds the gradients of the last step on return.
//   rate: [stop - start], the learning rates.
void train(int count, const Data* data, float* parameters, float* mean, float* square, float* gradients, int start,
           int stop, int batch, uint32_t seed, uint32_t restart, const float* rate, float weight_decay, float beta1,
           float beta2, float epsilon) {
    Tile* tile = new Tile();
    float* shifts = new float[ATTACKED ? long(count) * n * n : 0];
    Columns* columns = new Columns[SPARSE ? count : 0]();
    for (int step = start; step < stop; ++step) {
        std::memset(gradients, 0, sizeof(float) * count * PARAMETERS);
        if constexpr (ATTACKED)
            for (long i = 0; i < count; ++i)
                compute_attacks(parameters + i * PARAMETERS, data->attack[i], &shifts[i * n * n]);
        for (int first = 0; first < batch; first += TILE) {
            draw(*tile, first, step, TRAINING, seed, restart);
            for (int i = 0; i < count; ++i) {
                const Data d = data_of_instance(*data, shifts, i);
                const float* p = parameters + long(i) * PARAMETERS;
                float* g = gradients + long(i) * PARAMETERS;
                if constexpr (IN_REGISTERS) {
                    add_gradient_in_registers(*tile, d, p, g, first, batch);
                    continue;
                }
                compute_features(*tile, d);
                if (first == 0)
                    for (int j = 0; j < n; ++j) tile->x[j][0] = input(*tile)[j][0] = 0.f;  // sample 0 is all-zero
                add_gradient(*tile, d, p, g, SPARSE ? &columns[i] : nullptr, first, batch);
            }
        }
        if constexpr (SPARSE)
            for (long i = 0; i < count; ++i) add_column_gradients(columns[i], gradients + i * PARAMETERS);
        adamw(long(count) * PARAMETERS, gradients, parameters, mean, square, step, rate[step - start], weight_decay, beta1,
              beta2, epsilon);
    }
    delete[] columns;
    delete[] shifts;
    delete tile;
}

// Computes the sum and the sum of squares, [count] each, of the loss with its penalty over `samples` samples that are
// not all-zero. With `coactive`, samples with fewer than two active features count as zero.
void evaluate(int count, const Data* data, const float* parameters, int samples, int coactive, uint32_t seed,
              uint32_t restart, double* total, double* total_square) {
    const mask lane = numbers(lanes);
    Tile* tile = new Tile();
    float* shifts = new float[ATTACKED ? long(count) * n * n : 0];
    if constexpr (ATTACKED)
        for (long i = 0; i < count; ++i) compute_attacks(parameters + i * PARAMETERS, data->attack[i], &shifts[i * n * n]);
    for (int first = 0; first < samples; first += TILE) {
        draw(*tile, first, 0, EVALUATION, seed, restart);
        for (int i = 0; i < count; ++i) {
            const Data d = data_of_instance(*data, shifts, i);
            const float* p = parameters + long(i) * PARAMETERS;
            compute_features(*tile, d);
            compute_hidden(*tile, p);
            product<n, m, 1, n>(p + W_OUT, tile->h, tile->dz, [&](int j, int t, vec a) {
                const vec z = a + p[BIAS + j];
                const vec error = output(z) - target(load(&tile->x[j][t]));
                return d.importance[j] * error * error;
            });
            real sum{}, square{};
            for (int t = 0; t < TILE; t += LANES) {
                vec loss{};
                mask active{};  // counts active features downwards, because a true comparison is -1
                for (int j = 0; j < n; ++j) {
                    loss += load(&tile->dz[j][t]);
                    active += load(&tile->x[j][t]) != 0.f;
                }
                if constexpr (PENALISED)
                    for (int i = 0; i < m; ++i) {
                        const vec h = load(&tile->h[i][t]);
                        loss += *d.l1 * (h > 0.f ? h : -h);
                    }
                if (coactive) loss = active < -1 ? loss : vec{};
                loss = lane < samples - first - t ? loss : vec{};
                halfvec half[2];
                std::memcpy(half, &loss, sizeof loss);
                for (halfvec h : half) {
                    const real loss_of_lane = __builtin_convertvector(h, real);
                    sum += loss_of_lane;
                    square += loss_of_lane * loss_of_lane;
                }
            }
            for (int l = 0; l < LANES / 2; ++l) {
                total[i] += sum[l];
                total_square[i] += square[l];
            }
        }
    }
    delete[] shifts;
    delete tile;
}
}

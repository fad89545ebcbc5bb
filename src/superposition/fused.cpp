// The CPU engine: trains a block of instances through many steps without leaving the cache.
//
// Compiled once per architecture (see fused.py), with the sizes and the model as constants:
//   FEATURES n, HIDDEN m, UNTIED, RELU_HIDDEN, RELU_OUTPUT, HIDDEN_BIAS, SETS, SIGNED, ATTACKED, PENALISED,
//   TILE (samples).
//
// The inner axis of every array is the sample, LANES of them in one vector, so all sizes of model run
// at full vector width. Every instance is computed by itself, in one order, whatever block it is in:
// results depend neither on how a sweep is split nor on the number of threads.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace {

constexpr int n = FEATURES, m = HIDDEN, LANES = 16, VECTORS = TILE / LANES;
static_assert(TILE % (4 * LANES) == 0, "a tile is a whole number of register blocks");
constexpr int REGISTER_ROWS = m >= 20 ? 5 : 4;  // of a register block; measured
constexpr int ROWS = SETS ? 2 * n : n;  // rows of uniforms: gates, then the values of set members
constexpr int QUADS = (ROWS + ATTACKED + 3) / 4;  // Philox makes four at a time; the last row says what is attacked

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

// Where each parameter starts in an instance's row of parameters. W is [m][n], one row per hidden unit.
constexpr int W_IN = 0, W_OUT = UNTIED ? m * n : 0, BIAS = W_OUT + m * n, HIDDEN_BIAS_AT = BIAS + n,
              PARAMETERS = HIDDEN_BIAS_AT + (HIDDEN_BIAS ? m : 0);

struct Tile {
    alignas(64) float uniform[4 * QUADS][TILE];
    alignas(64) float gate[SETS ? n : 1][TILE];
    alignas(64) float x[n][TILE], dz[n][TILE], h[m][TILE], dh[m][TILE];
    alignas(64) float attacked_x[ATTACKED ? n : 1][TILE];
    alignas(64) int32_t attacked[TILE];  // the feature that is attacked
};

// What the model is given.
inline auto& input(Tile& tile) {
    if constexpr (ATTACKED)
        return tile.attacked_x;
    else
        return tile.x;
}

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
inline vec splat(float a) { return a - vec{}; }
inline vec relu(vec a) { return a > 0.f ? a : vec{}; }

inline float sum(vec a) {
    typedef float half __attribute__((vector_size(32)));
    typedef float quarter __attribute__((vector_size(16)));
    half h[2];
    std::memcpy(h, &a, sizeof a);
    half s = h[0] + h[1];
    quarter q[2];
    std::memcpy(q, &s, sizeof s);
    quarter t = q[0] + q[1];
    return (t[0] + t[2]) + (t[1] + t[3]);
}

// Philox4x32-10 (Salmon et al. 2011): counter (sample, row quad, step, purpose), key (seed, restart).
// Uniforms in [0, 1) with 24 bits; the same numbers as draws.py.
void draw(Tile& tile, uint32_t first, uint32_t step, uint32_t purpose, uint32_t seed, uint32_t restart) {
    for (int quad = 0; quad < QUADS; ++quad)
        for (int t = 0; t < TILE; t += LANES) {
            uint32_t c[4][LANES];
            for (int l = 0; l < LANES; ++l) {
                c[0][l] = first + t + l;
                c[1][l] = quad;
                c[2][l] = step;
                c[3][l] = purpose;
            }
            uint32_t k0 = seed, k1 = restart;
            for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
                for (int l = 0; l < LANES; ++l) {
                    uint64_t a = 0xD2511F53ull * c[0][l], b = 0xCD9E8D57ull * c[2][l];
                    uint32_t c1 = c[1][l], c3 = c[3][l];
                    c[0][l] = uint32_t(b >> 32) ^ c1 ^ k0;
                    c[1][l] = uint32_t(b);
                    c[2][l] = uint32_t(a >> 32) ^ c3 ^ k1;
                    c[3][l] = uint32_t(a);
                }
            for (int r = 0; r < 4; ++r)
                for (int l = 0; l < LANES; ++l)
                    tile.uniform[4 * quad + r][t + l] = float(int32_t(c[r][l] >> 8)) * 0x1p-24f;
        }
    if constexpr (ATTACKED)
        for (int t = 0; t < TILE; ++t) {
            const int i = int(tile.uniform[ROWS][t] * float(n));
            tile.attacked[t] = i < n ? i : n - 1;
        }
}

}  // namespace

// One instance's distribution and loss: see features.py for what a gate is.
struct Data {
    const float *gate_density, *any_from;         // [n] P(gate on); P(this gate or a later one on)
    const float *low, *high, *inverse_width;      // [n] a feature is on while its gate is in [low, high)
    const int32_t *gate, *own_value;              // [n] its gate; does its value come from a draw of its own
    const float* importance;                      // [n]
    const float* shift;                           // [n][n] the attacks: by how much feature j changes for the i-th
    float empty;                                  // P(no gate on)
    float l1;                                     // weight of the sum of |h|
};

namespace {

// Feature values of one tile for one instance, given that at least one gate is on.
void features(Tile& tile, const Data& d) {
    for (int t = 0; t < TILE; t += LANES) {
        mask found{};
        for (int r = 0; r < n; ++r) {
            vec u = load(&tile.uniform[r][t]);
            u = found ? u : u * d.any_from[r];
            found |= u < d.gate_density[r];
            if constexpr (SETS) {
                store(&tile.gate[r][t], u);
            } else {
                vec value = u * d.inverse_width[r];
                if constexpr (SIGNED) value = 2.f * value - 1.f;
                store(&tile.x[r][t], u < d.gate_density[r] ? value : vec{});
            }
        }
        if constexpr (SETS)
            for (int j = 0; j < n; ++j) {
                vec u = load(&tile.gate[d.gate[j]][t]);
                vec value = d.own_value[j] ? load(&tile.uniform[n + j][t]) : (u - d.low[j]) * d.inverse_width[j];
                if constexpr (SIGNED) value = 2.f * value - 1.f;
                store(&tile.x[j][t], ((u >= d.low[j]) & (u < d.high[j])) ? value : vec{});
            }
    }
    if constexpr (ATTACKED)
        for (int j = 0; j < n; ++j) {
            const float* shift = d.shift + j * n;
            for (int t = 0; t < TILE; ++t) tile.attacked_x[j][t] = tile.x[j][t] + shift[tile.attacked[t]];
        }
}

// The analytic attacks on every feature i as columns: size (WᵀW)_ij / |(WᵀW)_i|.
void attacks(const float* p, float size, float* shift) {
    for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) shift[j * n + i] = 0.f;
    for (int k = 0; k < m; ++k)
        for (int j = 0; j < n; ++j) {
            const float w = p[W_IN + k * n + j];
            for (int i = 0; i < n; ++i) shift[j * n + i] += w * p[W_IN + k * n + i];
        }
    float norm[n] = {};
    for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) norm[i] += shift[j * n + i] * shift[j * n + i];
    for (int i = 0; i < n; ++i) norm[i] = size / std::fmax(std::sqrt(norm[i]), 1e-12f);
    for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) shift[j * n + i] *= norm[i];
}

// out[r] = finish(r, t, sum over k of weight[r * RS + k * KS] * in[k]), in register blocks of R rows by 4 vectors.
template <int R, int OUT, int IN, int RS, int KS, int FROM = 0, class Finish>
inline void product(const float* weight, const float (*in)[TILE], float (*out)[TILE], Finish finish) {
    if constexpr (OUT - FROM >= R) {
        for (int t = 0; t < TILE; t += 4 * LANES)
            for (int r = FROM; r + R <= OUT; r += R) {
                vec a[R][4] = {};
                for (int k = 0; k < IN; ++k) {
                    vec x[4];
                    for (int v = 0; v < 4; ++v) x[v] = load(&in[k][t + v * LANES]);
                    for (int i = 0; i < R; ++i) {
                        const float w = weight[(r + i) * RS + k * KS];
                        for (int v = 0; v < 4; ++v) a[i][v] += w * x[v];
                    }
                }
                for (int i = 0; i < R; ++i)
                    for (int v = 0; v < 4; ++v)
                        store(&out[r + i][t + v * LANES], finish(r + i, t + v * LANES, a[i][v]));
            }
    }
    if constexpr (constexpr int done = FROM + (OUT - FROM) / R * R; done < OUT)
        product<OUT - done, OUT, IN, RS, KS, done>(weight, in, out, finish);
}

// g[i][j] += sum over samples of a[i] b[j] (+ c[i] d[j] when tied), in register blocks of I by J.
template <int I, int J, bool BOTH>
inline void outer_block(const float (*a)[TILE], const float (*b)[TILE], const float (*c)[TILE],
                        const float (*d)[TILE], float* g) {
    vec s[I][J] = {};
    for (int t = 0; t < TILE; t += LANES) {
        vec y[J], z[J];
        for (int j = 0; j < J; ++j) {
            y[j] = load(&b[j][t]);
            if constexpr (BOTH) z[j] = load(&d[j][t]);
        }
        for (int i = 0; i < I; ++i) {
            const vec p = load(&a[i][t]);
            for (int j = 0; j < J; ++j) s[i][j] += p * y[j];
            if constexpr (BOTH) {
                const vec q = load(&c[i][t]);
                for (int j = 0; j < J; ++j) s[i][j] += q * z[j];
            }
        }
    }
    for (int i = 0; i < I; ++i)
        for (int j = 0; j < J; ++j) g[i * n + j] += sum(s[i][j]);
}

template <int I, bool BOTH>
inline void outer_rows(const float (*a)[TILE], const float (*b)[TILE], const float (*c)[TILE],
                       const float (*d)[TILE], float* g) {
    int j = 0;
    for (; j + 4 <= n; j += 4) outer_block<I, 4, BOTH>(a, b + j, c, d + j, g + j);
    if constexpr (n % 4) outer_block<I, n % 4, BOTH>(a, b + j, c, d + j, g + j);
}

template <bool BOTH>
inline void outer(const float (*a)[TILE], const float (*b)[TILE], const float (*c)[TILE],
                  const float (*d)[TILE], float* g) {
    int i = 0;
    constexpr int R = REGISTER_ROWS;
    for (; i + R <= m; i += R) outer_rows<R, BOTH>(a + i, b, c + i, d, g + i * n);
    if constexpr (m % R) outer_rows<m % R, BOTH>(a + i, b, c + i, d, g + i * n);
}

inline vec target(vec x) {
    if constexpr (UNTIED) return x > 0.f ? x : -x;
    return x;
}

void hidden(Tile& tile, const float* p) {
    product<REGISTER_ROWS, m, n, n, 1>(p + W_IN, input(tile), tile.h, [&](int i, int, vec a) {
        if constexpr (HIDDEN_BIAS) a += p[HIDDEN_BIAS_AT + i];
        return RELU_HIDDEN ? relu(a) : a;
    });
}

// Adds the gradient of the weighted loss of one tile to g.
void gradient(Tile& tile, const Data& d, const float* p, float* g, int first, int batch) {
    hidden(tile, p);
    const float weight = d.any_from[0] / float(batch - 1);  // of a sample that is not the empty one
    product<REGISTER_ROWS, n, m, 1, n>(p + W_OUT, tile.h, tile.dz, [&](int j, int t, vec a) {
        const vec z = a + p[BIAS + j];
        const vec error = (RELU_OUTPUT ? relu(z) : z) - target(load(&tile.x[j][t]));
        const vec slope = (2.f * weight * d.importance[j]) * error;
        if constexpr (RELU_OUTPUT) return z > 0.f ? slope : vec{};
        return slope;
    });
    if (first == 0)
        for (int j = 0; j < n; ++j) tile.dz[j][0] *= d.empty / weight;
    for (int t = batch - first; t < TILE; ++t)
        for (int j = 0; j < n; ++j) tile.dz[j][t] = 0.f;

    product<REGISTER_ROWS, m, n, n, 1>(p + W_OUT, tile.dz, tile.dh, [&](int i, int t, vec a) {
        if constexpr (RELU_HIDDEN) return load(&tile.h[i][t]) > 0.f ? a : vec{};
        return a;
    });
    if constexpr (PENALISED) {
        alignas(64) float slope[TILE];
        for (int t = 0; t < TILE; ++t)
            slope[t] = first + t >= batch ? 0.f : d.l1 * (first + t ? weight : d.empty);
        for (int i = 0; i < m; ++i)
            for (int t = 0; t < TILE; t += LANES) {
                const vec h = load(&tile.h[i][t]), s = load(&slope[t]);
                store(&tile.dh[i][t], load(&tile.dh[i][t]) + (h > 0.f ? s : h < 0.f ? -s : vec{}));
            }
    }
    if constexpr (UNTIED) {
        outer<false>(tile.h, tile.dz, tile.h, tile.dz, g + W_OUT);
        outer<false>(tile.dh, tile.x, tile.h, tile.dz, g + W_IN);
    } else {
        outer<true>(tile.h, tile.dz, tile.dh, input(tile), g + W_IN);
    }
    for (int j = 0; j < n; ++j) {
        vec s{};
        for (int t = 0; t < TILE; t += LANES) s += load(&tile.dz[j][t]);
        g[BIAS + j] += sum(s);
    }
    if constexpr (HIDDEN_BIAS)
        for (int i = 0; i < m; ++i) {
            vec s{};
            for (int t = 0; t < TILE; t += LANES) s += load(&tile.dh[i][t]);
            g[HIDDEN_BIAS_AT + i] += sum(s);
        }
}

Data instance(const Data& d, const float* shifts, const float* l1, int i) {
    Data at = d;
    if constexpr (ATTACKED) at.shift = shifts + long(i) * n * n;
    if constexpr (PENALISED) at.l1 = l1[i];
    for (const float** a : {&at.gate_density, &at.any_from, &at.low, &at.high, &at.inverse_width, &at.importance})
        *a += i * n;
    at.gate += i * n;
    at.own_value += i * n;
    return at;
}

}  // namespace

extern "C" {

// Steps [start, stop) of AdamW for `count` instances that share the stream (seed, restart).
// parameters, mean, square: [count][PARAMETERS], changed in place. rate: [stop - start] learning rates.
// gradients: scratch of the same shape; it holds the last step's gradients on return.
// attack, l1: [count] the size of the attacks, the weight of the penalty; read only where the constants say so.
void train(int count, const Data* data, const float* empty, const float* attack, const float* l1,
           float* parameters, float* mean, float* square,
           float* gradients, int start, int stop, int batch, uint32_t seed, uint32_t restart,
           const float* rate, float decay, float beta1, float beta2, float epsilon) {
    Tile* tile = new Tile();
    std::vector<float> shifts(ATTACKED ? long(count) * n * n : 0);
    for (int step = start; step < stop; ++step) {
        std::memset(gradients, 0, sizeof(float) * count * PARAMETERS);
        if constexpr (ATTACKED)
            for (long i = 0; i < count; ++i) attacks(parameters + i * PARAMETERS, attack[i], &shifts[i * n * n]);
        for (int first = 0; first < batch; first += TILE) {
            draw(*tile, first, step, 0, seed, restart);
            for (int i = 0; i < count; ++i) {
                Data d = instance(*data, shifts.data(), l1, i);
                d.empty = empty[i];
                features(*tile, d);
                if (first == 0)
                    for (int j = 0; j < n; ++j) tile->x[j][0] = input(*tile)[j][0] = 0.f;  // sample 0 is the empty one
                gradient(*tile, d, parameters + long(i) * PARAMETERS, gradients + long(i) * PARAMETERS, first, batch);
            }
        }
        const float lr = rate[step - start], unbias1 = 1.f / (1.f - std::pow(beta1, step + 1.f)),
                    unbias2 = 1.f / (1.f - std::pow(beta2, step + 1.f));
        for (long k = 0; k < long(count) * PARAMETERS; ++k) {
            const float g = gradients[k];
            mean[k] = beta1 * mean[k] + (1.f - beta1) * g;
            square[k] = beta2 * square[k] + (1.f - beta2) * g * g;
            parameters[k] -= lr * (decay * parameters[k] +
                                   mean[k] * unbias1 / (std::sqrt(square[k] * unbias2) + epsilon));
        }
    }
    delete tile;
}

// Sum and sum of squares, [count] each, of the loss and the penalty over `samples` samples that are not empty (purpose 1, step 0).
// With `coactive`, samples in which fewer than two features are on count as zero.
void evaluate(int count, const Data* data, const float* attack, const float* l1, const float* parameters,
              int samples, int coactive, uint32_t seed, uint32_t restart, double* total, double* total_square) {
    Tile* tile = new Tile();
    std::vector<float> shifts(ATTACKED ? long(count) * n * n : 0);
    if constexpr (ATTACKED)
        for (long i = 0; i < count; ++i) attacks(parameters + i * PARAMETERS, attack[i], &shifts[i * n * n]);
    for (int first = 0; first < samples; first += TILE) {
        draw(*tile, first, 0, 1, seed, restart);
        for (int i = 0; i < count; ++i) {
            const Data d = instance(*data, shifts.data(), l1, i);
            const float* p = parameters + long(i) * PARAMETERS;
            features(*tile, d);
            hidden(*tile, p);
            product<REGISTER_ROWS, n, m, 1, n>(p + W_OUT, tile->h, tile->dz, [&](int j, int t, vec a) {
                const vec z = a + p[BIAS + j];
                const vec error = (RELU_OUTPUT ? relu(z) : z) - target(load(&tile->x[j][t]));
                return d.importance[j] * error * error;
            });
            for (int t = 0; t < TILE; t += LANES) {
                vec loss{};
                mask on{};  // counts down: a true comparison is -1
                for (int j = 0; j < n; ++j) {
                    loss += load(&tile->dz[j][t]);
                    on += load(&tile->x[j][t]) != 0.f;
                }
                if constexpr (PENALISED)
                    for (int i = 0; i < m; ++i) {
                        const vec h = load(&tile->h[i][t]);
                        loss += d.l1 * (h > 0.f ? h : -h);
                    }
                if (coactive) loss = on < -1 ? loss : vec{};
                for (int l = 0; l < LANES && first + t + l < samples; ++l) {
                    total[i] += loss[l];
                    total_square[i] += double(loss[l]) * loss[l];
                }
            }
        }
    }
    delete tile;
}
}

"""The GPU's kernels as one source text, which NVRTC compiles for a GPU and any C++ compiler through a small shim.

The text leaves open, as macros: `real` (double or float), `TILE_BITS` (a block holds 2^TILE_BITS amplitudes in shared
memory), `THREADS` of a block, and `SWIZZLE_BITS` (amplitudes in one row of the shared memory's banks, as a power of
two). States are [sets, 2^n] pairs of `real`; block (b, s) works on set s alone, and nothing that a set's block does
depends on the other sets.

Longer than 300 lines because a compiler reads it as one text.
"""

from __future__ import annotations

from typing import Final

OP_WORDS: Final = 8
TURN_1, TURN_2, TURN_3, PHASES, MOVE, EXCHANGE = 1, 2, 3, 4, 5, 6
"""What `sweep` is told to do, in the first of an operation's eight words."""

LOAD, PRODUCT, GATHER = 0, 1, 2
"""Where `sweep` has its amplitudes from: the same place, the product of one-qubit states, or other places."""

AXES: Final = {"x": 0, "y": 1, "z": 2, "matrix": 3}

SOURCE: Final = r"""
struct pair_t { real re, im; };
typedef unsigned int word;

__device__ inline int place(int l) { return l ^ ((l >> SWIZZLE_BITS) & ((1 << SWIZZLE_BITS) - 1)); }

__device__ inline word spread(int bits, const int* qubits, int count) {
    word x = 0;
    for (int k = 0; k < count; ++k) x |= (word)((bits >> k) & 1) << qubits[k];
    return x;
}

__device__ inline word chosen(word x, const int* columns, int count) {
    word found = 0;
    for (int k = 0; k < count; ++k) found ^= ((x >> k) & 1) ? (word)columns[k] : 0u;
    return found;
}

__device__ inline pair_t times(pair_t a, pair_t b) {
    pair_t c;
    c.re = a.re * b.re - a.im * b.im;
    c.im = a.re * b.im + a.im * b.re;
    return c;
}

__device__ inline void turn(pair_t& a, pair_t& b, const real* m) {
    pair_t p, q;
    p.re = m[0] * a.re - m[1] * a.im + m[2] * b.re - m[3] * b.im;
    p.im = m[0] * a.im + m[1] * a.re + m[2] * b.im + m[3] * b.re;
    q.re = m[4] * a.re - m[5] * a.im + m[6] * b.re - m[7] * b.im;
    q.im = m[4] * a.im + m[5] * a.re + m[6] * b.im + m[7] * b.re;
    a = p;
    b = q;
}

__device__ inline int opened(int i, int bit) { return ((i >> bit) << (bit + 1)) | (i & ((1 << bit) - 1)); }

// angles[set][a] = offset + sum of scale * parameter, the terms of angle a being first[a] to first[a + 1].
extern "C" __global__ void angles_of(const double* parameters, int columns, int sets, int count, const double* offsets,
                                     const int* first, const int* column, const double* scale, double* angles) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (long long)sets * count) return;
    int set = (int)(i / count), a = (int)(i % count);
    double total = offsets[a];
    for (int k = first[a]; k < first[a + 1]; ++k) total += scale[k] * parameters[(long long)set * columns + column[k]];
    angles[i] = total;
}

// matrices[set][gate] = the product of the turns first[gate] to first[gate + 1], each (axis, index): axis 0, 1, 2 turns
// about x, y, z by angle `index`, axis 3 is the constant matrix `index`.
extern "C" __global__ void matrices_of(const double* angles, int count, int sets, int gates, const int* first,
                                       const int* turns, const double* constants, real* matrices) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (long long)sets * gates) return;
    int set = (int)(i / gates), gate = (int)(i % gates);
    double m[8] = {1, 0, 0, 0, 0, 0, 1, 0};
    for (int k = first[gate]; k < first[gate + 1]; ++k) {
        double t[8] = {0, 0, 0, 0, 0, 0, 0, 0}, n[8];
        int axis = turns[2 * k], index = turns[2 * k + 1];
        if (axis == 3) {
            for (int j = 0; j < 8; ++j) t[j] = constants[8 * index + j];
        } else {
            double half = 0.5 * angles[(long long)set * count + index], c = cos(half), s = sin(half);
            t[0] = c;
            t[6] = c;
            if (axis == 0) { t[3] = -s; t[5] = -s; }
            if (axis == 1) { t[2] = -s; t[4] = s; }
            if (axis == 2) { t[1] = -s; t[7] = s; }
        }
        for (int r = 0; r < 2; ++r) {
            for (int c = 0; c < 2; ++c) {
                const double *x = t + 4 * r, *y = m + 2 * c;
                n[4 * r + 2 * c] = x[0] * y[0] - x[1] * y[1] + x[2] * y[4] - x[3] * y[5];
                n[4 * r + 2 * c + 1] = x[0] * y[1] + x[1] * y[0] + x[2] * y[5] + x[3] * y[4];
            }
        }
        for (int j = 0; j < 8; ++j) m[j] = n[j];
    }
    for (int j = 0; j < 8; ++j) matrices[8 * i + j] = (real)m[j];
}

// Operations on the amplitudes that share all bits but the tile's. Block (b, s): tile b of set s. `qubits` are the
// tile's, lowest first, then the others; `parities` are (mask, angle, sign); `columns` hold maps of basis states.
extern "C" __global__ void sweep(const pair_t* source, pair_t* target, int num_qubits, const int* qubits, int mode,
                                 int gather, int begin, int end, const int* ops, const int* parities,
                                 const int* columns, const double* angles, int count, const real* matrices, int gates) {
    SHARED_PAIRS(tile)
    int thread = threadIdx.x, set = blockIdx.y;
    const real* own = matrices + 8LL * gates * set;
    const double* angle = angles + (long long)count * set;
    long long at = (long long)set << num_qubits;
    word base = spread(blockIdx.x, qubits + TILE_BITS, num_qubits - TILE_BITS), low = spread(thread, qubits, TILE_BITS);
    for (int l = thread; l < (1 << TILE_BITS); l += THREADS) {
        word x = base | low | spread(l - thread, qubits, TILE_BITS);
        pair_t a;
        if (mode == 1) {
            a.re = 1;
            a.im = 0;
            for (int q = 0; q < num_qubits; ++q) {
                const real* m = own + 8 * q + (((x >> q) & 1) ? 4 : 0);
                pair_t factor;
                factor.re = m[0];
                factor.im = m[1];
                a = times(a, factor);
            }
        } else {
            a = source[at + (mode == 2 ? ((word)columns[gather] ^ chosen(x, columns + gather + 1, num_qubits)) : x)];
        }
        tile[place(l)] = a;
    }
    for (int o = begin; o < end; ++o) {
        const int* op = ops + 8 * o;
        __syncthreads();
        if (op[0] == 1) {
            for (int i = thread; i < (1 << (TILE_BITS - 1)); i += THREADS) {
                int l = opened(i, op[1]);
                pair_t a = tile[place(l)], b = tile[place(l | 1 << op[1])];
                turn(a, b, own + 8 * op[2]);
                tile[place(l)] = a;
                tile[place(l | 1 << op[1])] = b;
            }
        } else if (op[0] == 2) {
            int u = 1 << op[1], v = 1 << op[3];
            for (int i = thread; i < (1 << (TILE_BITS - 2)); i += THREADS) {
                int l = opened(opened(i, op[1]), op[3]);
                pair_t a[4] = {tile[place(l)], tile[place(l | u)], tile[place(l | v)], tile[place(l | u | v)]};
                turn(a[0], a[1], own + 8 * op[2]);
                turn(a[2], a[3], own + 8 * op[2]);
                turn(a[0], a[2], own + 8 * op[4]);
                turn(a[1], a[3], own + 8 * op[4]);
                tile[place(l)] = a[0];
                tile[place(l | u)] = a[1];
                tile[place(l | v)] = a[2];
                tile[place(l | u | v)] = a[3];
            }
        } else if (op[0] == 3) {
            int u = 1 << op[1], v = 1 << op[3], w = 1 << op[5];
            for (int i = thread; i < (1 << (TILE_BITS - 3)); i += THREADS) {
                int l = opened(opened(opened(i, op[1]), op[3]), op[5]);
                pair_t a[8];
                for (int k = 0; k < 8; ++k) a[k] = tile[place(l | (k & 1 ? u : 0) | (k & 2 ? v : 0) | (k & 4 ? w : 0))];
                for (int k = 0; k < 8; k += 2) turn(a[k], a[k + 1], own + 8 * op[2]);
                for (int k = 0; k < 8; ++k) if (!(k & 2)) turn(a[k], a[k + 2], own + 8 * op[4]);
                for (int k = 0; k < 4; ++k) turn(a[k], a[k + 4], own + 8 * op[6]);
                for (int k = 0; k < 8; ++k) tile[place(l | (k & 1 ? u : 0) | (k & 2 ? v : 0) | (k & 4 ? w : 0))] = a[k];
            }
        } else if (op[0] == 4) {
            for (int l = thread; l < (1 << TILE_BITS); l += THREADS) {
                word x = base | low | spread(l - thread, qubits, TILE_BITS);
                double sum = 0;
                for (int k = op[1]; k < op[2]; ++k) {
                    double part = parities[3 * k + 2] > 0 ? angle[parities[3 * k + 1]] : -angle[parities[3 * k + 1]];
                    sum += (__popc(x & (word)parities[3 * k]) & 1) ? -part : part;
                }
                double turns = sum * 0.15915494309189535;
                real c, s;
                SINCOSPI((real)(2 * (turns - rint(turns))), s, c);
                pair_t by;
                by.re = c;
                by.im = s;
                tile[place(l)] = times(tile[place(l)], by);
            }
        } else if (op[0] == 5) {
            pair_t moved[(1 << TILE_BITS) / THREADS];
            const int* map = columns + op[1];
            word rest = (word)map[0] ^ chosen(blockIdx.x, map + 1 + TILE_BITS, num_qubits - TILE_BITS);
            for (int k = 0; k < (1 << TILE_BITS) / THREADS; ++k)
                moved[k] = tile[place((int)(rest ^ chosen(thread + k * THREADS, map + 1, TILE_BITS)))];
            __syncthreads();
            for (int k = 0; k < (1 << TILE_BITS) / THREADS; ++k) tile[place(thread + k * THREADS)] = moved[k];
        } else {
            for (int l = thread; l < (1 << TILE_BITS); l += THREADS) {
                word x = base | low | spread(l - thread, qubits, TILE_BITS);
                if ((x & (word)op[1]) == (word)op[2]) {
                    pair_t a = tile[place(l)];
                    tile[place(l)] = tile[place(l ^ op[3])];
                    tile[place(l ^ op[3])] = a;
                }
            }
        }
    }
    __syncthreads();
    for (int l = thread; l < (1 << TILE_BITS); l += THREADS)
        target[at + (base | low | spread(l - thread, qubits, TILE_BITS))] = tile[place(l)];
}

extern "C" __global__ void probabilities_of(const pair_t* states, long long amplitudes, double* probabilities) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= amplitudes) return;
    double re = states[i].re, im = states[i].im;
    probabilities[i] = re * re + im * im;
}

// partial[set][part][o]: the share of amplitudes part * 2^share to (part + 1) * 2^share in observable o, as `Strings`
// in `readout.py` tells: groups of strings of equal flip, and a table of values where there is one.
extern "C" __global__ void expectations_of(const pair_t* states, int num_qubits, int share, int observables, int groups,
                                           const int* flips, const int* odd, const int* starts, const int* masks,
                                           const double* weights, int tabled, const double* tables, double* partial) {
    SHARED_SUMS(sums)
    int thread = threadIdx.x, set = blockIdx.y;
    const pair_t* state = states + ((long long)set << num_qubits);
    for (int o = 0; o < observables; ++o) {
        double total = 0;
        for (int l = thread; l < (1 << share); l += THREADS) {
            word x = ((word)blockIdx.x << share) | (word)l;
            double ar = state[x].re, ai = state[x].im;
            if (tabled) total += tables[((long long)o << num_qubits) + x] * (ar * ar + ai * ai);
            for (int g = 0; g < groups; ++g) {
                double br = state[x ^ (word)flips[g]].re, bi = state[x ^ (word)flips[g]].im;
                double part = odd[g] ? br * ai - bi * ar : br * ar + bi * ai;
                for (int k = starts[g]; k < starts[g + 1]; ++k) {
                    double weight = weights[(long long)k * observables + o];
                    total += (__popc(x & (word)masks[k]) & 1) ? -weight * part : weight * part;
                }
            }
        }
        sums[thread] = total;
        for (int half = THREADS / 2; half > 0; half /= 2) {
            __syncthreads();
            if (thread < half) sums[thread] += sums[thread + half];
        }
        if (thread == 0) partial[((long long)set * gridDim.x + blockIdx.x) * observables + o] = sums[0];
        __syncthreads();
    }
}

// found[set][o] = the parts of observable o, in their order.
extern "C" __global__ void summed(const double* partial, int parts, int observables, int sets, double* found) {
    int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= sets * observables) return;
    double total = 0;
    for (int part = 0; part < parts; ++part)
        total += partial[((long long)(i / observables) * parts + part) * observables + i % observables];
    found[i] = total;
}

__device__ inline unsigned long long rotated(unsigned long long x, int by) { return (x << by) | (x >> (64 - by)); }

// draws[set][shot] in [0, 1): xoshiro256++ from the state `streams[set]` (four words).
extern "C" __global__ void randoms(const unsigned long long* streams, int sets, int shots, double* draws) {
    int set = blockIdx.x * THREADS + threadIdx.x;
    if (set >= sets) return;
    const unsigned long long* begun = streams + 4 * set;
    unsigned long long a = begun[0], b = begun[1], c = begun[2], d = begun[3];
    for (int shot = 0; shot < shots; ++shot) {
        unsigned long long bits = rotated(a + d, 23) + a, t = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = rotated(d, 45);
        draws[(long long)set * shots + shot] = (double)(bits >> 11) * 1.1102230246251565e-16;
    }
}

// reached[set][c]: the probability of all basis states before chunk c of 2^share states; its last entry is the whole.
extern "C" __global__ void chunks_of(const pair_t* states, int num_qubits, int share, int sets, double* chunks) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    long long every = (long long)sets << (num_qubits - share);
    if (i >= every) return;
    const pair_t* state = states + (i << share);
    double total = 0;
    for (int l = 0; l < (1 << share); ++l) {
        double re = state[l].re, im = state[l].im;
        total += re * re + im * im;
    }
    chunks[i] = total;
}

extern "C" __global__ void reached_of(const double* chunks, int count, int sets, double* reached) {
    int set = blockIdx.x * THREADS + threadIdx.x;
    if (set >= sets) return;
    double total = 0;
    for (int c = 0; c < count; ++c) {
        reached[(long long)set * (count + 1) + c] = total;
        total += chunks[(long long)set * count + c];
    }
    reached[(long long)set * (count + 1) + count] = total;
}

// drawn[set][shot]: the first basis state whose cumulative probability is above the draw's share of the whole.
extern "C" __global__ void draw(const pair_t* states, int num_qubits, int share, int sets, int shots,
                                const double* reached, const double* draws, int* drawn) {
    long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (long long)sets * shots) return;
    int set = (int)(i / shots), count = 1 << (num_qubits - share);
    const double* edge = reached + (long long)set * (count + 1);
    double sought = draws[i] * edge[count];
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (edge[middle + 1] > sought) high = middle;
        else low = middle + 1;
    }
    const pair_t* state = states + ((long long)set << num_qubits);
    double total = edge[low];
    word x = (word)low << share, last = x | ((1u << share) - 1);
    for (; x < last; ++x) {
        double re = state[x].re, im = state[x].im;
        total += re * re + im * im;
        if (total > sought) break;
    }
    drawn[i] = (int)x;
}
"""

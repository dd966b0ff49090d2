"""The GPU's kernels compiled by a C++ compiler and run thread by thread: the same source, the same launches, no GPU.

Each thread of a block is a fiber; `__syncthreads` goes on to the next. With `backwards` the threads of a block run in
the opposite order, so that a result that hangs on a forgotten barrier differs between the two.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from quire_gpu_simulation.engine.gpu_source import SOURCE

COMPILER = shutil.which("g++") or shutil.which("clang++")

SHIM = r"""
#include <cmath>
#include <cstdlib>
#include <ucontext.h>
#define __global__
#define __device__ static
#if SINGLE
#define real float
#else
#define real double
#endif
#define SINCOSPI(x, s, c) { double by = M_PI * (double)(x); s = (real)std::sin(by); c = (real)std::cos(by); }
#define SHARED_PAIRS(name) pair_t* name = (pair_t*)shared_memory;
#define SHARED_SUMS(name) double* name = (double*)shared_memory;
struct place_t { int x, y; };
static place_t blockIdx, threadIdx, gridDim;
alignas(64) static char shared_memory[1 << 17];
static ucontext_t home, fibers[1024];
static int current;
static bool ended[1024];
static void __syncthreads() { swapcontext(&fibers[current], &home); }
static int __popc(unsigned int x) { return __builtin_popcount(x); }
typedef long long w;
typedef void (*kernel_t)(w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w);
static kernel_t kernel;
static const w* a;
static void body() {
    kernel(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
    ended[current] = true;
    swapcontext(&fibers[current], &home);
}
extern "C" void launch(void* f, int columns, int rows, int threads, const w* arguments, int backwards) {
    static char* stacks = (char*)std::malloc(1024 * 65536);
    kernel = (kernel_t)f;
    a = arguments;
    gridDim = {columns, rows};
    for (int y = 0; y < rows; ++y) for (int x = 0; x < columns; ++x) {
        blockIdx = {x, y};
        for (int t = 0; t < threads; ++t) {
            getcontext(&fibers[t]);
            fibers[t].uc_stack.ss_sp = stacks + t * 65536;
            fibers[t].uc_stack.ss_size = 65536;
            fibers[t].uc_link = &home;
            makecontext(&fibers[t], body, 0);
            ended[t] = false;
        }
        for (int left = threads; left;) {
            for (int k = 0; k < threads; ++k) {
                current = backwards ? threads - 1 - k : k;
                if (ended[current]) continue;
                threadIdx.x = current;
                swapcontext(&home, &fibers[current]);
                left -= ended[current];
            }
        }
    }
}
"""


class ShimDevice:
    """See `gpu_device.Device`. New memory is full of NaN, so that what was never written shows."""

    name = "shim"

    def __init__(self, folder: Path | None = None, *, backwards: bool = False, memory_bytes: int = 2**28) -> None:
        self.memory_bytes = memory_bytes
        self.launches: list[str] = []
        self._folder = folder or Path(tempfile.mkdtemp(prefix="quire-shim-"))
        self._backwards = int(backwards)
        self._libraries: dict[tuple[str, ...], ctypes.CDLL] = {}

    def upload(self, array):
        return np.array(array, order="C")

    def empty(self, shape, dtype):
        made = np.empty(tuple(shape), dtype)
        made.view(np.uint8)[...] = 255
        return made

    def download(self, array):
        return array.copy()

    def kernels(self, options):
        library = self._libraries.setdefault(tuple(options), self._compile(tuple(options)))

        def launch(name, grid, threads, *arguments):
            self.launches.append(name)
            words = [each.ctypes.data if isinstance(each, np.ndarray) else int(each) for each in arguments]
            packed = (ctypes.c_longlong * 16)(*words)
            library.launch(getattr(library, name), *grid, threads, packed, self._backwards)

        return launch

    def _compile(self, options):
        name = "_".join(options).replace("=", "").replace("-D", "")
        text, made = self._folder / f"{name}.cpp", self._folder / f"{name}.so"
        if not made.exists():
            text.write_text(SHIM + SOURCE, encoding="utf-8")
            subprocess.run(
                [COMPILER, "-std=c++17", "-O1", "-shared", "-fPIC", "-w", *options, str(text), "-o", str(made)],
                check=True,
                capture_output=True,
            )
        return ctypes.CDLL(str(made))

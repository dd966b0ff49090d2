"""What the engine needs of a GPU, and CuPy's answer to it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from quire_gpu_simulation.engine.gpu_source import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

CUDA: Final = r"""
#define SHARED_PAIRS(name) __shared__ pair_t name[1 << TILE_BITS];
#define SHARED_SUMS(name) __shared__ double name[THREADS];
#if SINGLE
#define real float
#define SINCOSPI(x, s, c) sincospif(x, &s, &c)
#else
#define real double
#define SINCOSPI(x, s, c) sincospi(x, &s, &c)
#endif
"""
"""The macros that the source leaves open, as CUDA has them."""

WARP_BITS: Final = 5
_THREADS: Final = 256
_TILE_BITS: Final = {"float64": 11, "float32": 12}
_SWIZZLE_BITS: Final = {"float64": 3, "float32": 4}
"""A tile takes 32 KiB of shared memory; a row of its banks has 128 bytes."""


class Kernels(Protocol):
    """The source's kernels, compiled for one precision and tile."""

    def __call__(self, name: str, grid: tuple[int, int], threads: int, *arguments: object) -> None:
        """Launch one: arrays of the device, and integers as `numpy.int32` or `numpy.int64`."""
        ...


class Device(Protocol):
    """A GPU, or what stands in for one. Arrays on it are opaque but for `nbytes`."""

    name: str
    memory_bytes: int

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy on the device."""
        ...

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> Any:
        """Room on the device."""
        ...

    def download(self, array: Any) -> NDArray[Any]:
        """A copy here, after everything launched so far."""
        ...

    def kernels(self, options: Sequence[str]) -> Kernels:
        """The kernels with these macros, `-DNAME=VALUE` each."""
        ...


def tile_bits_of(width: int, precision: str) -> int:
    """The tile of a state of so many qubits."""
    return min(width, _TILE_BITS[precision])


def threads_of(tile_bits: int) -> int:
    """Threads of a block."""
    return min(_THREADS, 1 << tile_bits)


def options_of(tile_bits: int, precision: str) -> tuple[str, ...]:
    """The macros of a precision and a tile."""
    return (
        f"-DSINGLE={int(precision == 'float32')}",
        f"-DTILE_BITS={tile_bits}",
        f"-DTHREADS={threads_of(tile_bits)}",
        # Swizzling exchanges bits with those above them, which must be there.
        f"-DSWIZZLE_BITS={min(_SWIZZLE_BITS[precision], tile_bits // 2)}",
    )


class CupyDevice:
    """The first GPU that CuPy sees.

    Raises:
        RuntimeError: CuPy is not installed, or sees none.
    """

    def __init__(self) -> None:
        try:
            cupy: Any = import_module("cupy")  # an extra, and slow to import
        except ImportError as error:
            raise RuntimeError("CuPy is not installed; it is the extra `gpu`") from error
        try:
            found = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise RuntimeError("CuPy finds no GPU") from error
        if not found:
            raise RuntimeError("CuPy finds no GPU")
        self._cupy = cupy
        self._modules: dict[tuple[str, ...], Any] = {}
        self.name = str(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())
        self.memory_bytes = int(cupy.cuda.runtime.memGetInfo()[0])

    def upload(self, array: NDArray[Any]) -> Any:
        """See `Device`."""
        return self._cupy.asarray(np.ascontiguousarray(array))

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> Any:
        """See `Device`."""
        return self._cupy.empty(tuple(shape), dtype)

    def download(self, array: Any) -> NDArray[Any]:
        """See `Device`."""
        return np.asarray(self._cupy.asnumpy(array))

    def copy(self, source: Any, target: Any) -> None:
        """Begin to copy one array over another of the same size."""
        self._cupy.copyto(target, source)

    def synchronise(self) -> None:
        """Wait for everything launched so far."""
        self._cupy.cuda.get_current_stream().synchronize()

    def kernels(self, options: Sequence[str]) -> Kernels:
        """See `Device`; compiled once for each set of options, and kept on disk by CuPy."""
        key = tuple(options)
        if key not in self._modules:
            self._modules[key] = self._cupy.RawModule(code=CUDA + SOURCE, options=("--std=c++17", *key))
        module = self._modules[key]

        def launch(name: str, grid: tuple[int, int], threads: int, *arguments: object) -> None:
            module.get_function(name)(grid, (threads,), arguments)

        return launch


def find_device() -> CupyDevice | None:
    """The GPU, or None where there is none."""
    try:
        return CupyDevice()
    except RuntimeError:
        return None

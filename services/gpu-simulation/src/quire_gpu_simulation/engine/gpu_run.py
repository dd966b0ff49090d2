"""States on the GPU: a program's arrays uploaded once, its launches, and what is read off the states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quire_gpu_simulation.engine.gpu_device import options_of, threads_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.gpu_device import Device
    from quire_gpu_simulation.engine.gpu_plan import GpuProgram
    from quire_gpu_simulation.engine.readout import Strings

SHARE_BITS: Final = 12
"""A block sums so many amplitudes of an expectation value, as a power of two."""

_UPLOADED: Final = (
    "ops", "parities", "columns", "gate_first", "turns", "constants", "offsets", "angle_first", "angle_columns",
    "angle_scales",
)  # fmt: skip
_i32 = np.int32
_i64 = np.int64


class Loaded:
    """A program on a device. One call at a time.

    Every array that a launch reads stays referenced until the caller downloads a result, which waits for the launches.
    """

    def __init__(self, device: Device, program: GpuProgram, precision: str) -> None:
        self._device = device
        self._real = np.dtype(precision)
        self.program = program
        self._threads = threads_of(program.tile_bits)
        self._kernels = device.kernels(options_of(program.tile_bits, precision))
        self._held = {name: device.upload(_not_empty(getattr(program, name))) for name in _UPLOADED}
        self._qubits = [device.upload(np.array(sweep.qubits, np.int32)) for sweep in program.sweeps]

    def new_states(self, sets: int) -> Any:
        """Room for states [sets, 2^n, 2]."""
        return self._device.empty((sets, 1 << self.program.num_qubits, 2), self._real)

    def run(self, parameters: NDArray[np.float64], states: Any, spare: Any) -> tuple[Any, Any]:
        """The states of parameter sets [sets, parameters]: which of the two arrays has them, and the other one.

        A program that begins with a product state does not read them; a layer reads `states`, writes to `spare` and
        leaves `states` as they are.
        """
        program, held, sets = self.program, self._held, len(parameters)
        angles = self._device.empty((sets, max(1, len(program.offsets))), np.float64)
        matrices = self._device.empty((sets, program.gates, 8), self._real)
        count = _i32(len(program.offsets))
        if len(program.offsets):
            columns = _i32(parameters.shape[1])
            given = self._device.upload(_not_empty(parameters))
            self._flat(
                "angles_of", sets * len(program.offsets), given, columns, _i32(sets), count, held["offsets"],
                held["angle_first"], held["angle_columns"], held["angle_scales"], angles,
            )  # fmt: skip
        self._flat(
            "matrices_of", sets * program.gates, angles, count, _i32(sets), _i32(program.gates), held["gate_first"],
            held["turns"], held["constants"], matrices,
        )  # fmt: skip
        source, target = (states, spare) if program.sweeps and program.sweeps[0].mode == 0 else (states, states)
        for sweep, qubits in zip(program.sweeps, self._qubits, strict=True):
            if sweep.gather >= 0:
                target = spare if source is states else states
            self._kernels(
                "sweep", (1 << program.num_qubits - program.tile_bits, sets), self._threads, source, target,
                _i32(program.num_qubits), qubits, _i32(sweep.mode), _i32(sweep.gather), _i32(sweep.begin),
                _i32(sweep.end), held["ops"], held["parities"], held["columns"], angles, count, matrices,
                _i32(program.gates),
            )  # fmt: skip
            source = target
        return source, spare if source is states else states

    def probabilities(self, states: Any, sets: int) -> NDArray[np.float64]:
        """Of the basis states, float64 [sets, 2^n]."""
        found = self._device.empty((sets, 1 << self.program.num_qubits), np.float64)
        amplitudes = sets << self.program.num_qubits
        self._flat("probabilities_of", amplitudes, states, _i64(amplitudes), found)
        return self._device.download(found)

    def values(self, states: Any, sets: int, strings: Strings) -> NDArray[np.float64]:
        """Exact values without the constants, float64 [sets, observables]."""
        width, observables = self.program.num_qubits, len(strings.constants)
        share = min(SHARE_BITS, width)
        parts = 1 << width - share
        tables = _widened(strings.tables, 1 << width)
        numbers = [each.astype(np.int32) for each in (strings.flips, strings.odd, strings.starts, strings.masks)]
        arrays = [self._device.upload(_not_empty(each)) for each in numbers]
        arrays.append(self._device.upload(_not_empty(strings.signs[:, None] * strings.weights)))
        on_device = self._device.upload(_not_empty(tables))
        partial = self._device.empty((sets, parts, observables), np.float64)
        found = self._device.empty((sets, observables), np.float64)
        self._kernels(
            "expectations_of", (parts, sets), self._threads, states, _i32(width), _i32(share), _i32(observables),
            _i32(len(strings.flips)), *arrays, _i32(bool(len(tables))), on_device, partial,
        )  # fmt: skip
        self._flat("summed", sets * observables, partial, _i32(parts), _i32(observables), _i32(sets), found)
        return self._device.download(found)

    def drawn(self, states: Any, streams: NDArray[np.uint64], shots: int) -> NDArray[np.int32]:
        """Basis states of shots, int32 [sets, shots], each row from its xoshiro256++ state, uint64 [sets, 4]."""
        width, sets = self.program.num_qubits, len(streams)
        share = (width + 1) // 2
        count = 1 << width - share
        chunks = self._device.empty((sets, count), np.float64)
        reached = self._device.empty((sets, count + 1), np.float64)
        numbers = self._device.empty((sets, shots), np.float64)
        found = self._device.empty((sets, shots), np.int32)
        begun = self._device.upload(streams)
        self._flat("chunks_of", sets * count, states, _i32(width), _i32(share), _i32(sets), chunks)
        self._flat("reached_of", sets, chunks, _i32(count), _i32(sets), reached)
        self._flat("randoms", sets, begun, _i32(sets), _i32(shots), numbers)
        self._flat(
            "draw", sets * shots, states, _i32(width), _i32(share), _i32(sets), _i32(shots), reached, numbers, found
        )
        return self._device.download(found)

    def _flat(self, name: str, count: int, *arguments: object) -> None:
        """One thread for each of `count`."""
        self._kernels(name, (max(1, -(-count // self._threads)), 1), self._threads, *arguments)


def _not_empty(array: NDArray[Any]) -> NDArray[Any]:
    """An array of at least one number: a device has no address for none."""
    return array if array.size else np.zeros(1, array.dtype)


def _widened(tables: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Tables for a state with idle qubits, which are never 1."""
    if not len(tables) or tables.shape[1] == size:
        return tables
    return np.concatenate([tables, np.zeros((len(tables), size - tables.shape[1]))], axis=1)

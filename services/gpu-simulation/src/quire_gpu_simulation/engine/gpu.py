"""The engine's back end on a GPU: slices of the batch as large as its memory allows, all rows in one launch."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from quire_gpu_simulation.engine.backend import Tallies
from quire_gpu_simulation.engine.gpu_device import WARP_BITS, tile_bits_of
from quire_gpu_simulation.engine.gpu_plan import plan, plan_layer, width_of
from quire_gpu_simulation.engine.gpu_run import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.backend import Sweep
    from quire_gpu_simulation.engine.compiled import Compiled, Layer
    from quire_gpu_simulation.engine.gpu_device import Device
    from quire_gpu_simulation.engine.readout import Bits, Strings, Sums

_MOST_SETS: Final = 32_768
"""Blocks of a launch's second dimension are numbered with 16 bits."""

_SHARE_OF_MEMORY: Final = 0.8
_STATES: Final = 3
"""A state, a second place to move it to, and its probabilities (or a third state, turned to a basis)."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXERS: Final = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


class Prepared(NamedTuple):
    """A circuit on the device, and for each basis the layer before its measurement (None where there is none)."""

    main: Loaded
    turned: tuple[Loaded | None, ...]


class GpuBackend:
    """See `backend.Backend`. Its draws are the CPU's: the same streams, inverted on the same basis states.

    device: the GPU; precision: `float64` or `float32`, of the amplitudes (angles and sums are float64 always).
    memory_bytes: of the device; most of what is free where it is None.
    """

    def __init__(self, device: Device, precision: str = "float64", memory_bytes: int | None = None) -> None:
        self._device = device
        self._precision = precision
        self._memory = int(device.memory_bytes * _SHARE_OF_MEMORY) if memory_bytes is None else memory_bytes
        self._turn = Lock()

    @property
    def precision(self) -> str:
        """`float64` or `float32`."""
        return self._precision

    @property
    def device(self) -> str:
        """The card's name."""
        return self._device.name

    def close(self) -> None:
        """CuPy gives the memory back when the process ends."""

    def prepare(self, compiled: Compiled, bases: tuple[Layer, ...]) -> Prepared:
        """Sweeps of the circuit and of each basis, their arrays on the device."""
        width = width_of(compiled.num_qubits, WARP_BITS)
        tile = tile_bits_of(width, self._precision)
        main = Loaded(self._device, plan(compiled, tile, width), self._precision)
        turned = tuple(
            Loaded(self._device, plan_layer(layer, tile, width), self._precision) if layer.gates else None
            for layer in bases
        )
        return Prepared(main, turned)

    def needed(self, prepared: Prepared) -> int:
        """Bytes of a row's states and matrices."""
        program = prepared.main.program
        state = 2 * np.dtype(self._precision).itemsize << program.num_qubits
        return _STATES * max(state, 8 << program.num_qubits) + 8 * 8 * program.gates

    def probabilities(self, prepared: Prepared, bits: Bits, sweep: Sweep) -> NDArray[np.float64]:
        """See the protocol."""
        found = [np.zeros((0, 1 << len(bits.qubits)))]
        for cut, states, _ in self._slices(prepared, sweep):
            every = prepared.main.probabilities(states, cut.stop - cut.start)
            found.append(_marginal(every, bits))
        return np.concatenate(found)

    def values(self, prepared: Prepared, strings: Strings, sweep: Sweep) -> NDArray[np.float64]:
        """See the protocol."""
        found = [np.zeros((0, len(strings.constants)))]
        for cut, states, _ in self._slices(prepared, sweep):
            found.append(prepared.main.values(states, cut.stop - cut.start, strings))
        return np.concatenate(found) + strings.constants

    def counts(self, prepared: Prepared, bits: Bits, sweep: Sweep, shots: int) -> Tallies:
        """See the protocol."""
        read = partial(_indices, bits=bits)
        rows = [_tallied(drawn, bits) for drawn in self._drawn(prepared, sweep, shots, read)]
        return Tallies(
            np.concatenate([np.zeros(0, np.int64), *(each.lengths for each in rows)]),
            np.concatenate([np.zeros(0, np.uint32), *(each.tallies for each in rows)]),
            np.concatenate([np.zeros((0, (bits.width + 7) // 8), np.uint8), *(each.outcomes for each in rows)]),
        )

    def estimates(
        self, prepared: Prepared, sums: Sums, sweep: Sweep, shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See the protocol."""
        columns = int(sums.observables.max()) + 1
        found, variances = [np.zeros((0, columns))], [np.zeros((0, columns))]
        for drawn in self._drawn(prepared, sweep, shots, _as_they_are):
            values, spreads = np.zeros((len(drawn), columns)), np.zeros((len(drawn), columns))
            for pair, group in enumerate(sums.groups):
                each = _shot_values(sums, pair, drawn[:, group])
                mean, column = each.mean(axis=1), sums.observables[pair]
                spread = ((each - mean[:, None]) ** 2).sum(axis=1) / shots
                values[:, column] += mean
                spreads[:, column] += spread / (shots - 1) if shots > 1 else sums.bounds[pair] ** 2
            found.append(values)
            variances.append(spreads)
        return np.concatenate(found), np.sqrt(np.concatenate(variances))

    def _slices(self, prepared: Prepared, sweep: Sweep) -> Iterator[tuple[slice, Any, Any]]:
        """Slices of the rows: their states, and a second place of the same size."""
        at_once = max(1, min(_MOST_SETS, self._memory // self.needed(prepared), sweep.rows))
        with self._turn:
            for first in range(0, sweep.rows, at_once):
                cut = slice(first, min(first + at_once, sweep.rows))
                sets = cut.stop - first
                places = prepared.main.new_states(sets), prepared.main.new_states(sets)
                states, spare = prepared.main.run(sweep.parameters[cut], *places)
                yield cut, states, spare

    def _drawn(
        self, prepared: Prepared, sweep: Sweep, shots: int, read: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    ) -> Iterator[NDArray[np.int64]]:
        """For each slice what is read of the shots, int64 [rows, circuits, shots], not in order."""
        for cut, states, spare in self._slices(prepared, sweep):
            found = []
            for circuit, layer in enumerate(prepared.turned):
                turned = states
                if layer is not None:
                    turned, _ = layer.run(np.zeros((cut.stop - cut.start, 0)), states, spare)
                begun = streams(sweep.keys[cut], sweep.places[cut], circuit)
                found.append(read((layer or prepared.main).drawn(turned, begun, shots).astype(np.int64)))
            yield np.stack(found, axis=1)


def streams(keys: NDArray[np.uint64], places: NDArray[np.int64], circuit: int) -> NDArray[np.uint64]:
    """The random states of circuit runs, uint64 [rows, 4], as `draws.stream` makes them one by one."""
    rows, group = places.astype(np.uint64), np.uint64(circuit)
    with np.errstate(over="ignore"):
        a = _mixed((_mixed(_mixed(keys[:, 0] + _GOLDEN) ^ rows) + _GOLDEN) ^ group)
        b = _mixed((_mixed(_mixed(keys[:, 1] + _GOLDEN + _GOLDEN) ^ rows) + _GOLDEN) ^ group)
        return np.stack([_mixed(each + by) for each in (a, b) for by in (_GOLDEN, _GOLDEN + _GOLDEN)], axis=1)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for by, factor in _MIXERS:
        z = (z ^ (z >> np.uint64(by))) * factor
    return z ^ (z >> np.uint64(31))


def _as_they_are(states: NDArray[np.int64]) -> NDArray[np.int64]:
    return states


def _indices(states: NDArray[np.int64], bits: Bits) -> NDArray[np.int64]:
    """Basis states as indices over the measured qubits."""
    if bits.plain:
        return states
    found = np.zeros_like(states)
    for place, qubit in enumerate(bits.qubits.tolist()):
        found |= (states >> qubit & 1) << place
    return found


def _marginal(probabilities: NDArray[np.float64], bits: Bits) -> NDArray[np.float64]:
    """Probabilities of the indices over the measured qubits, float64 [rows, 2^qubits]."""
    size = 1 << len(bits.qubits)
    if bits.plain:
        return probabilities[:, :size]
    places = _indices(np.arange(probabilities.shape[1]), bits)
    return np.stack([np.bincount(places, row, size) for row in probabilities])


def _tallied(drawn: NDArray[np.int64], bits: Bits) -> Tallies:
    """Equal indices of each circuit run counted, rising."""
    rows, circuits, shots = drawn.shape
    ordered = np.sort(drawn.reshape(rows * circuits, shots), axis=1)
    first = np.ones(ordered.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = np.flatnonzero(first)
    tallies = np.diff(np.append(places, ordered.size))
    indices = ordered.reshape(-1)[places]
    octets = (bits.width + 7) // 8
    outcomes = np.zeros((len(indices), octets), np.uint8)
    for bit, place in zip(bits.bits.tolist(), bits.places.tolist(), strict=True):
        outcomes[:, octets - 1 - bit // 8] |= ((indices >> place & 1) << bit % 8).astype(np.uint8)
    return Tallies(first.sum(axis=1), tallies.astype(np.uint32), outcomes)


def _shot_values(sums: Sums, pair: int, drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values of single shots for one pair of observable and basis."""
    if len(sums.tables):
        return np.asarray(sums.tables[pair][drawn])
    found = np.zeros(drawn.shape)
    for term in range(sums.starts[pair], sums.starts[pair + 1]):
        odd = np.bitwise_count(drawn & sums.masks[term]) & 1
        found += sums.weights[term] * (1.0 - 2.0 * odd)
    return found

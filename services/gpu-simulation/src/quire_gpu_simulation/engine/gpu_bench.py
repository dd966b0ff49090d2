"""How fast the GPU back end is, and how near to what the card's memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quire_gpu_simulation.engine.fusion import compile_structure
from quire_gpu_simulation.engine.gpu import GpuBackend
from quire_gpu_simulation.engine.gpu_device import find_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quire_gpu_simulation.engine.gpu_device import CupyDevice
    from quire_quantum.structure import Structure
    from quire_resilience.clock import Clock

_COPIED_BYTES = 2**30


class Figures(NamedTuple):
    """Of one sweep to its states.

    seconds: the median of the repeats, from parameters here to states there.
    moved_bytes: what the sweeps read and wrote; floor_bytes: what one reading and writing for each pass would.
    copy_bytes_per_second: of a plain copy on this card, reading and writing counted.
    """

    device: str
    seconds: float
    sweeps: int
    moved_bytes: int
    floor_bytes: int
    copy_bytes_per_second: float

    @property
    def share_of_bandwidth(self) -> float:
        """The bandwidth that was used, as a share of a copy's."""
        return self.moved_bytes / self.seconds / self.copy_bytes_per_second


def measure(
    structure: Structure,
    parameters: NDArray[np.float64],
    clock: Clock,
    *,
    precision: str = "float64",
    repeats: int = 20,
) -> Figures | None:
    """Figures of a sweep that fits into the card's memory at once, or None where there is no GPU.

    structure: without measurements; parameters: float64 [sets, structure.num_parameters].
    """
    device = find_device()
    if device is None:
        return None
    compiled = compile_structure(structure)
    main = GpuBackend(device, precision).prepare(compiled, ()).main
    places = main.new_states(len(parameters)), main.new_states(len(parameters))
    seconds = _median(device, clock, repeats, lambda: main.run(parameters, *places))
    itemsize = np.dtype(precision).itemsize
    state = 2 * itemsize * len(parameters) << main.program.num_qubits
    return Figures(
        device=device.name,
        seconds=seconds,
        sweeps=len(main.program.sweeps),
        # The first sweep makes its amplitudes and reads none.
        moved_bytes=(2 * len(main.program.sweeps) - 1) * state,
        floor_bytes=compiled.bytes_moved(len(parameters), itemsize=itemsize),
        copy_bytes_per_second=_copy_speed(device, clock, repeats),
    )


def _copy_speed(device: CupyDevice, clock: Clock, repeats: int) -> float:
    one, other = (device.empty((_COPIED_BYTES // 8,), np.float64) for _ in range(2))
    return 2 * _COPIED_BYTES / _median(device, clock, repeats, lambda: device.copy(one, other))


def _median(device: CupyDevice, clock: Clock, repeats: int, call: Callable[[], object]) -> float:
    call()
    device.synchronise()
    found = []
    for _ in range(repeats):
        began = clock.monotonic()
        call()
        device.synchronise()
        found.append(clock.monotonic() - began)
    return float(np.median(found))

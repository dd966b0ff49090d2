"""Results of the Runtime's `executor` program, which its newest samplers send: circuits with arrays of arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0 import (
    ChunkPart,
    ChunkSpan,
    ItemMetadataModel,
    MetadataModel,
    ParamsModel,
    QuantumProgramResultItemModel,
    QuantumProgramResultModel,
)
from qiskit.primitives import StatevectorSampler
from qiskit_ibm_runtime.quantum_program.converters.converters_2_0 import (
    passthrough_data_to_2_0,
    quantum_program_from_2_0,
)

from quire_emulator.circuits import CannotRunError
from quire_emulator.qiskit_results import flipped, without_idle

if TYPE_CHECKING:
    from quire_emulator.configuration import Noise


def executor_results(body: str, noise: Noise, seed: int, ended: float) -> bytes:
    """The result document of a quantum program whose items are plain circuits; schema 2.0.

    Raises:
        CannotRunError: it is of another schema, has a samplex (randomised circuits), or cannot be run.
    """
    try:
        program, _ = quantum_program_from_2_0(ParamsModel.model_validate_json(body))
        found = [_ran(item, program.shots, noise, seed + number) for number, item in enumerate(program.items)]
    except CannotRunError:
        raise
    except Exception as error:
        raise CannotRunError(str(error) or type(error).__name__) from error
    at = datetime.fromtimestamp(ended, UTC)
    sizes = [int(np.prod(np.shape(item.circuit_arguments)[:-1], dtype=int)) for item in program.items]
    parts = [
        ChunkPart(idx_item=index, size=size, permutation=[], element_range=(0, size, 1))
        for index, size in enumerate(sizes)
    ]
    document = QuantumProgramResultModel(
        data=found,
        metadata=MetadataModel(chunk_timing=[ChunkSpan(start=at, stop=at, parts=parts)]),
        passthrough_data=passthrough_data_to_2_0(program.passthrough_data),
        semantic_role=program._semantic_role,  # noqa: SLF001 - there is no other way to it
    )
    text: str = document.model_dump_json()
    return text.encode()


def _ran(item: Any, shots: int, noise: Noise, seed: int) -> QuantumProgramResultItemModel:
    if not hasattr(item, "circuit_arguments"):
        raise CannotRunError("samplex items are not run here; switch twirling off")
    circuit, arguments = without_idle(item.circuit), np.asarray(item.circuit_arguments)
    values = arguments if circuit.num_parameters else np.zeros((*arguments.shape[:-1], 0))
    data = StatevectorSampler(seed=seed).run([(circuit, values)], shots=shots).result()[0].data
    generator = np.random.default_rng(seed)
    found = {}
    for name, bits in data.items():
        matrix = flipped(bits.to_bool_array(order="little"), noise, generator)
        found[name] = CompressedTensorModel.from_numpy(matrix)
    return QuantumProgramResultItemModel(results=found, metadata=ItemMetadataModel())

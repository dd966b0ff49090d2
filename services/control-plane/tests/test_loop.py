"""Loops with every optimiser, decided message by message: killed anywhere they end the same; why some end early."""

from __future__ import annotations

import msgspec
import pytest
from control_plane_cases import admitted, at, prepared, run_task
from loop_cases import energies, walk, walk_as_killed

from quire_contracts import limits
from quire_contracts.job import JobCompleted
from quire_contracts.preparation import JobPrepared, Spectrum
from quire_contracts.record import JobRecord
from quire_contracts.result import OptimizeResult
from quire_control_plane.decide import decide

SPECTRA = (Spectrum(spacing=1.0, count=2), Spectrum(spacing=2.0, count=1))
ROUNDS = 20
OPTIMIZERS: dict[str, dict[str, object]] = {
    "spsa": {"name": "spsa"},
    "nft": {"name": "nft"},
    "cma-es": {"name": "cma-es", "population": 5},
    "parameter-shift": {"name": "parameter-shift"},
    "cobyla": {"name": "scipy", "method": "cobyla"},
    "nelder-mead": {"name": "scipy", "method": "nelder-mead"},
    "powell": {"name": "scipy", "method": "powell"},
    "l-bfgs-b": {"name": "scipy", "method": "l-bfgs-b", "tolerance": 1e-12},
}


def body(**optimizer: object) -> bytes:
    document = {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]},
        "seed": 5,
        "shots": 100,
        "algorithm": {"name": "qaoa", "layers": 1, "optimizer": {"rounds": ROUNDS} | optimizer},
    }
    return msgspec.json.encode(document)


def spread(record: JobRecord) -> JobPrepared:
    """What preprocessing says of the loop, with the frequencies of its angles."""
    return prepared(record, spectra=SPECTRA)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_killed_at_every_round_a_loop_ends_with_the_same_record_and_sends_the_same_tasks(optimizer) -> None:
    document = body(**optimizer)
    record, _ = walk_as_killed(document, spread)
    assert isinstance(record.result, OptimizeResult)
    assert record.result.history[-1].best > record.result.history[0].objective


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_rounds_points_are_one_task_that_travels_inside_its_message(optimizer) -> None:
    _, tasks = walk(body(**optimizer), spread)
    rounds = [task for task in tasks if task.phase == "round"]
    assert [task.round for task in rounds] == list(range(1, len(rounds) + 1))
    assert all(task.parameters.data.inline is not None for task in tasks)
    assert len(rounds) <= ROUNDS


def result_of(document: bytes, of=energies) -> OptimizeResult:
    record, _ = walk(document, spread, of=of)
    assert isinstance(record.result, OptimizeResult)
    assert not record.degraded
    return record.result


def test_a_loop_without_progress_ends_when_its_patience_does_and_says_so() -> None:
    result = result_of(body(name="spsa", patience=3), of=lambda task: [-1.0] * task.parameters.rows)
    assert len(result.history) == 4
    assert result.stopped == "nothing better in 3 rounds: 4 of 20 rounds"


def test_progress_that_is_too_small_is_none() -> None:
    rounds = {"name": "parameter-shift", "method": "plain", "learning_rate": 0.01, "patience": 4}
    assert len(result_of(body(**rounds)).history) == ROUNDS
    assert len(result_of(body(**rounds, min_improvement=10.0)).history) == 5


def test_a_minimiser_that_has_converged_ends_the_loop() -> None:
    result = result_of(body(name="scipy", method="l-bfgs-b", tolerance=0.5))
    assert 0 < len(result.history) < ROUNDS
    assert result.stopped == f"scipy has converged: {len(result.history)} of {ROUNDS} rounds"


def test_a_loop_with_all_its_rounds_was_not_stopped() -> None:
    assert result_of(body(name="nft")).stopped == ""


def test_a_populations_round_stands_at_its_lowest_point() -> None:
    document = body(name="cma-es", population=6, rounds=3)
    _, tasks = walk(document, spread)
    rounds = [task for task in tasks if task.phase == "round"]
    assert [task.parameters.rows for task in rounds] == [6, 6, 6]
    assert [each.objective for each in result_of(document).history] == [-min(energies(task)) for task in rounds]


def test_an_ended_record_has_the_history_once_so_that_the_longest_loop_fits_a_message() -> None:
    record, _ = walk(body(name="spsa", rounds=limits.ROUNDS), spread, most=limits.ROUNDS + 5)
    assert record.checkpoint is not None
    assert isinstance(record.result, OptimizeResult)
    assert (len(record.result.history), record.checkpoint.history) == (limits.ROUNDS, ())
    assert len(msgspec.json.encode(record)) < 0.75 * limits.MESSAGE_BYTES


def test_a_loop_that_was_under_way_before_there_were_other_optimisers_goes_on() -> None:
    """Its checkpoint has the settings of the time, or a state by the name of spsa."""
    record = admitted(body(name="spsa")).record
    assert record is not None
    assert record.checkpoint is not None
    old = {"name": "spsa", "learning_rate": None, "perturbation": 0.1}
    record = msgspec.structs.replace(record, checkpoint=msgspec.structs.replace(record.checkpoint, optimizer=old))
    change = decide(record, prepared(record, start_points=1), at(1))
    assert run_task(change).parameters.rows == 11
    assert change.record is not None
    assert change.record.checkpoint is not None
    assert set(change.record.checkpoint.optimizer) == {"name", "state"}
    ended = [say for say in change.says if isinstance(say.message, JobCompleted)]
    assert not ended

"""What a target would make of a job's next work: which questions are open, and what the answers come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from quire_contracts.appraisal import Appraisal, AppraiseWork
from quire_contracts.record import JobRecord, baseline_of, evolve
from quire_control_plane.patience.speculating import in_time
from quire_control_plane.tasks import facts_of, preparation_of

if TYPE_CHECKING:
    from quire_contracts.value import Phase, Target
    from quire_control_plane.change import Moment
    from quire_policy import Facts, Route

AT_LEAST: Final = "_at_least"


class Way(NamedTuple):
    """Where work goes by what is known of it: the job's record with that, the facts and the route that follow from it.

    missing: what must be asked before; until then the route is none to go.
    """

    record: JobRecord
    facts: Facts
    route: Route
    missing: tuple[AppraiseWork, ...] = ()


def way_of(record: JobRecord, phase: Phase, rows: int, moment: Moment) -> Way:
    """The way of a job's next work, with what is known of the targets that it may go to.

    Of a target that is neither a device nor paid for nothing is asked. Of the others the first one is appraised once
    for a job; with a budget of money all of them are, for each task. The rules may look at the answers, so these may
    lead to another first target, which is then appraised as well.

    Args:
        record: the job's.
        phase: of the work.
        rows: its parameter sets.
        moment: now, with the answers so far.
    """
    record = _judged_again(record, moment)
    while True:
        facts = facts_of(record, phase, rows, moment.now)
        route = in_time(facts, moment)
        wanted = route.targets if record.max_usd is not None else route.targets[:1]
        asked = [question(record, each, rows) for each in wanted if not _is_known(record, each, rows, moment)]
        missing = tuple(each for each in asked if each not in moment.appraised)
        if missing:
            return Way(record, facts, route, missing)
        found = [answer for each in asked if (answer := moment.appraised[each]) is not None]
        news = [each for each in found if (each.device or each.paid) and each not in _answers(record)]
        if not news:
            return Way(record, facts, route)
        for each in news:
            record = _kept(record, judged(record, each, moment))


def question(record: JobRecord, target: Target, rows: int) -> AppraiseWork:
    """What a gateway is asked of work for the job."""
    prepared = preparation_of(record)
    return AppraiseWork(
        target=target,
        structure=prepared.structure,
        parameter_sets=rows,
        shots=prepared.shots,
        observables=prepared.observables,
        mitigation=prepared.mitigation,
    )


def judged(record: JobRecord, found: Appraisal, moment: Moment) -> Appraisal:
    """An appraisal with what it is worth to have the work done there."""
    baseline = baseline_of(record)
    proven = baseline is not None and baseline.exact and baseline.feasible
    expected = 0.0 if proven else moment.gain(record)
    possible = 0.0 if proven else baseline.gap if baseline is not None else None
    gain = expected if expected is not None else possible
    worth = None if gain is None else gain * (1.0 if found.fidelity is None else found.fidelity)
    return msgspec.structs.replace(found, expected_gain=expected, possible_gain=possible, worth=worth)


def _judged_again(record: JobRecord, moment: Moment) -> JobRecord:
    """The record whose appraisals of before there was a classical answer are judged by it, now that it is there."""
    if not record.appraisals or baseline_of(record) is None:
        return record
    again = tuple(judged(record, each, moment) if each.possible_gain is None else each for each in record.appraisals)
    return record if again == record.appraisals else evolve(record, appraisals=again)


def appraisal_of(record: JobRecord, target: Target) -> Appraisal | None:
    """What is known of a target."""
    return next((each for each in record.appraisals if each.target == target), None)


def figures_of(record: JobRecord, target: Target, moment: Moment) -> dict[str, float]:
    """What is known of the job's work at a target, by name with its unit, for a decision; what is not is left out.

    The circuit's size is that after compilation, of a simulator that before any; what a device makes larger, or its
    provider compiles, is `..._at_least` so large.
    """
    known, least = appraisal_of(record, target), preparation_of(record).estimate
    if known is None:
        size = {"two_qubit_gates": least.two_qubit_gates, "depth": least.depth}
        return {f"{name}{'' if moment.plain(target) else AT_LEAST}": float(value) for name, value in size.items()}
    bound = "" if known.compiled else AT_LEAST
    figures: dict[str, float | None] = {
        "qubits": known.qubits,
        "circuits": known.circuits,
        f"two_qubit_gates{bound}": known.two_qubit_gates,
        f"depth{bound}": known.depth,
        "fidelity": known.fidelity,
        "wait_seconds": known.wait_seconds,
        "run_seconds": known.run_seconds,
        "usd": known.usd,
        "expected_gain": known.expected_gain,
        "possible_gain": known.possible_gain,
        "worth": known.worth,
    }
    return {name: round(float(value), 6) for name, value in figures.items() if value is not None}


def _is_known(record: JobRecord, target: Target, rows: int, moment: Moment) -> bool:
    known = appraisal_of(record, target)
    if known is None:
        return moment.plain(target)
    return record.max_usd is None or not known.paid or known.parameter_sets == rows


def _answers(record: JobRecord) -> set[Appraisal]:
    """What the record has, as gateways said it."""
    ours = {"expected_gain": None, "possible_gain": None, "worth": None}
    return {msgspec.structs.replace(each, **ours) for each in record.appraisals}


def _kept(record: JobRecord, found: Appraisal) -> JobRecord:
    others = tuple(each for each in record.appraisals if each.target != found.target)
    return evolve(record, appraisals=(*others, found))

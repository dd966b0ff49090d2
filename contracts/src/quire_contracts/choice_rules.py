"""What a document may say of start points and circuits that are chosen between, beyond what its types say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quire_contracts.continuation import From
from quire_contracts.document import Qaoa
from quire_contracts.loop_circuits import climbs, starts_of
from quire_contracts.value import Problem

if TYPE_CHECKING:
    from quire_contracts.vqe import Vqe


def choice_rules(algorithm: Qaoa | Vqe, start: From | msgspec.UnsetType) -> list[Problem]:
    """Choosing takes a pre-screen, and a climb begins at one layer; pointers begin at the document's root."""
    warm = isinstance(start, From) and isinstance(start.round, msgspec.UnsetType)
    problems = _candidate_rules(algorithm, warm=warm) + _start_rules(algorithm, warm=warm)
    return problems + _climb_rules(algorithm) if isinstance(algorithm, Qaoa) else problems


def _candidate_rules(algorithm: Qaoa | Vqe, *, warm: bool) -> list[Problem]:
    if isinstance(algorithm.candidates, msgspec.UnsetType):
        return []
    known = list(algorithm.candidates)
    problems = [
        Problem(
            pointer=f"/algorithm/candidates/{place}",
            reason=f"it is the same circuit as candidate {known.index(each)}",
            hint="name each circuit once",
        )
        for place, each in enumerate(known)
        if known.index(each) < place
    ]
    if algorithm.initial or warm:
        what = "`initial` replaces the pre-screen" if algorithm.initial else "a loop with `from` has no pre-screen"
        problems.append(
            Problem(
                pointer="/algorithm/candidates",
                reason=f"candidates are chosen between by their pre-screens, and {what}",
                hint=f"leave out `candidates` and name the one circuit, or leave out `{'from' if warm else 'initial'}`",
            )
        )
    return problems


def _start_rules(algorithm: Qaoa | Vqe, *, warm: bool) -> list[Problem]:
    starts = starts_of(algorithm)
    if starts > 1 and (algorithm.initial or warm):
        return [
            Problem(
                pointer="/algorithm/starts",
                reason=f"{starts} runs, and there is one point to start at",
                limit="1",
                hint=f"leave out `starts`, or `{'from' if warm else 'initial'}`",
            )
        ]
    if starts <= algorithm.sweep:
        return []
    return [
        Problem(
            pointer="/algorithm/starts",
            reason=f"{starts} start points are to go on, and the pre-screen has {algorithm.sweep}",
            limit=f"at most the sweep, {algorithm.sweep}",
            hint="raise `sweep` or lower `starts`",
        )
    ]


def _climb_rules(algorithm: Qaoa) -> list[Problem]:
    if not climbs(algorithm):
        return []
    problems, rounds = [], algorithm.optimizer.rounds
    beside = {
        "initial": bool(algorithm.initial),
        "candidates": not isinstance(algorithm.candidates, msgspec.UnsetType),
        "angles": algorithm.angles == "multi",
    }
    reasons = {
        "initial": "the climb begins at one layer, and finds these angles itself",
        "candidates": "the climb goes through circuits of its own, one for each number of layers",
        "angles": "what is interpolated is one gamma and one beta of each layer",
    }
    problems += [
        Problem(
            pointer=f"/algorithm/{name}",
            reason=reasons[name],
            hint=f"leave out `{name}`, or `initialisation`",
        )
        for name, given in beside.items()
        if given
    ]
    if rounds < algorithm.layers:
        problems.append(
            Problem(
                pointer="/algorithm/optimizer/rounds",
                reason=f"{rounds} rounds for a climb to {algorithm.layers} layers",
                limit=f"at least {algorithm.layers}, one for each number of layers",
                hint="raise `rounds` or lower `layers`",
            )
        )
    return problems

"""From a problem of a job document to what can judge its answers."""

from __future__ import annotations

from quire_contracts.problems import (
    IndependentSet,
    Ising,
    MaxCut,
    NumberPartitioning,
    Portfolio,
    Problems,
    Qubo,
    TravellingSalesman,
)
from quire_problems.cut import Cut
from quire_problems.independent import Independent
from quire_problems.kind import Kind
from quire_problems.partition import Partition
from quire_problems.plain import Plain
from quire_problems.portfolio import Selection
from quire_problems.routing import Routing
from quire_problems.tour import Salesman


def kind_of(problem: Problems) -> Kind:
    """The problem's kind, of a document that `quire_contracts.intake` accepted."""
    match problem:
        case MaxCut():
            return Cut(problem)
        case Qubo() | Ising():
            return Plain(problem)
        case IndependentSet():
            return Independent(problem)
        case NumberPartitioning():
            return Partition(problem)
        case TravellingSalesman():
            return Salesman(problem)
        case Portfolio():
            return Selection(problem)
        case _:
            return Routing(problem)

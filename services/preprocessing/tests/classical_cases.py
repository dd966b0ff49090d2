"""Random problems as the classical methods are given them."""

import itertools

import numpy as np

from quire_preprocessing.classical.case import Case
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.refusal import Refused
from quire_problems import kind_of
from quire_testing.problems import MAKERS


def case_of(problem, seed=1, seconds=0.05):
    """The problem as the methods are given it."""
    return Case(problem, kind_of(problem), energy_of(problem), seed, seconds)


def cases(seed, seconds=0.05, names=tuple(MAKERS)):
    """One case of each kind by name; of a kind whose problem has nothing to decide, the next one."""
    found = {}
    for name in names:
        for attempt in itertools.count():
            problem = MAKERS[name](np.random.default_rng([seed, attempt]))
            try:
                found[name] = case_of(problem, seed, seconds)
            except Refused:
                continue
            break
    return found

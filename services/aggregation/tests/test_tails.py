"""The mean of the best share of the shots against the definition, and its error against repetition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_aggregation.evidence import Evidence
from quire_aggregation.tails import tail_means
from quire_contracts.task import Scoring
from quire_contracts.value import Observable
from quire_quantum.counts import pack
from quire_quantum.observables import expectation, group

PATH = Observable(("III", "IZZ", "ZZI"), (-1.0, 0.5, 0.5))
"""MaxCut on a path of three nodes: energies -2, -1, 0 for two, one and no ties cut."""

ENERGIES = {"000": 0.0, "001": -1.0, "010": -2.0, "011": -1.0, "100": -1.0, "101": -2.0, "110": -1.0, "111": 0.0}

rows = st.lists(
    st.dictionaries(st.sampled_from(sorted(ENERGIES)), st.integers(1, 60), min_size=1), min_size=1, max_size=4
)


@given(rows, st.floats(0.01, 1.0))
def test_each_rows_mean_is_that_of_its_shots_in_order(table, share):
    means, errors = tail_means(pack(table, bits=3), PATH, share)
    assert means.shape == errors.shape == (len(table), 1)
    for row, mean in zip(table, means[:, 0], strict=True):
        shots = sorted(ENERGIES[outcome] for outcome, tally in row.items() for _ in range(tally))
        wanted = math.ceil(share * len(shots) * (1 - 1e-12))
        assert mean == pytest.approx(sum(shots[:wanted]) / wanted)
    assert (errors >= 0).all()


@given(rows)
def test_all_of_the_shots_give_the_expectation_value(table):
    counts = pack(table, bits=3)
    values, _ = expectation(counts, [PATH], group([PATH]))
    assert tail_means(counts, PATH, 1.0)[0] == pytest.approx(values)


def test_the_error_is_what_repetitions_scatter_by():
    """2,000 repetitions of 500 shots of four energies with the chances 0.1, 0.2, 0.3, 0.4; a fifth of them counts."""
    random = np.random.default_rng(11)
    observable = Observable(("IZ", "ZI"), (1.0, 3.0))
    outcomes = ["11", "10", "01", "00"]  # energies -4, -2, 2, 4
    drawn = random.multinomial(500, [0.1, 0.2, 0.3, 0.4], size=2_000)
    table = [dict(zip(outcomes, row.tolist(), strict=True)) for row in drawn]
    means, errors = tail_means(pack([{k: v for k, v in row.items() if v} for row in table], bits=2), observable, 0.2)
    assert float(np.mean(errors)) == pytest.approx(float(np.std(means)), rel=0.05)
    assert float(np.mean(means)) == pytest.approx(-3.0, abs=0.02)


def test_a_task_that_asks_for_a_share_is_answered_by_its_means(cut_problem: Evidence):
    asked = Evidence(cut_problem.question, 2, cut_problem.pieces, Scoring(scale=-1, cvar=0.3))
    assert asked.estimates is not None
    assert asked.estimates[0][:, 0] == pytest.approx([-2.0, (-2.0 * 10 + 0.0 * 20) / 30])
    assert cut_problem.estimates is not None
    assert cut_problem.estimates[0][:, 0] == pytest.approx([-0.8, -0.2])
    assert asked.score == cut_problem.score or asked.score.best.value == cut_problem.score.best.value

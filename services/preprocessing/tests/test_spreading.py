"""A sweep over seeds has the spread of its values; one over anything else has none."""

from __future__ import annotations

import json

import pytest

from quire_contracts.intake import parse_document
from quire_contracts.preparation import Baseline
from quire_contracts.result import Best, OptimizeResult, Point, Quality
from quire_preprocessing.families.spreading import spread_of

BASE = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}


def sweep(*patches):
    return parse_document(
        json.dumps({"kind": "sweep", "base": BASE, "variants": [{"patch": p} for p in patches]}).encode()
    )


def point(value, source="quantum"):
    known = Baseline(method="exact", value=9.0, assignment=(0, 1), exact=True)
    result = OptimizeResult(Best(value, (0, 1)), (), known, Quality(), source=source)
    return Point(label="", x=None, job_id="a", state="completed", value=value, result=result)


SEEDS = sweep({"seed": 1}, {"seed": 2, "name": "again"}, {"seed": 3}, {})


def test_a_sweep_over_seeds_has_its_spread():
    found = spread_of(SEEDS, [point(5.0), point(9.0), point(7.0), point(7.0)])
    assert (found.runs, found.least, found.mean, found.greatest) == (4, 5.0, 7.0, 9.0)
    assert found.std_dev == pytest.approx((8 / 3) ** 0.5)


def test_classical_answers_and_missing_ones_are_no_part_of_it():
    failed = Point(label="", x=None, job_id="b", state="failed")
    found = spread_of(SEEDS, [point(5.0), point(9.0, "classical"), failed, point(7.0)])
    assert (found.runs, found.least, found.greatest) == (2, 5.0, 7.0)
    assert spread_of(SEEDS, [point(5.0), point(9.0, "classical"), failed, failed]) is None


def test_variants_that_differ_in_more_than_a_seed_have_none():
    shots = sweep({"seed": 1}, {"seed": 2, "shots": 100})
    assert spread_of(shots, [point(5.0), point(6.0)]) is None


def test_a_seed_named_twice_is_no_spread():
    assert spread_of(sweep({"seed": 1}, {"seed": 1}), [point(5.0), point(6.0)]) is None

"""Counts brought down to values and standard errors where nobody needs the counts themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quire_contracts.task import scores_samples
from quire_quantum.counts import concatenate
from quire_quantum.executor import MemberOutcome, Outcome
from quire_quantum.observables import expectation, group

if TYPE_CHECKING:
    from quire_contracts.batch import Batch
    from quire_quantum.executor import Work
    from quire_quantum.observables import Grouping


def is_reducible(batch: Batch) -> bool:
    """Whether the answers may be values instead of counts: observables from shots, and no member scored by counts."""
    asked = batch.observables is not None and batch.shots is not None
    return asked and all(not scores_samples(member.scoring) for member in batch.members)


def reduced(work: Work, outcome: Outcome, grouping: Grouping | None = None) -> Outcome:
    """The outcome with every member's counts replaced by values and errors, if the work asks for it.

    grouping: of the work's observables, if it is known; equal in every process.

    Members that were answered by values stay as they are. All counts are valued in one pass; a row's values depend on
    its own counts alone, so they are the same to the last bit in whatever company.
    """
    if not work.reduced or not any(member.counts is not None for member in outcome.members):
        return outcome
    grouping = grouping or group(work.observables)
    tables = [member.counts for member in outcome.members if member.counts is not None]
    values, errors = expectation(concatenate(tables), work.observables, grouping)
    ends = np.cumsum([table.rows // len(grouping.bases) for table in tables])[:-1]
    parts = zip(np.split(values, ends), np.split(errors, ends), strict=True)
    members = [member if member.counts is None else MemberOutcome(None, *next(parts)) for member in outcome.members]
    return replace(outcome, members=tuple(members))

"""Who the members of a family are: the documents of a sweep's variants, of a problem's parts, and of their merge."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quire_contracts import limits
from quire_contracts.document import Budget, OptimizeJob
from quire_contracts.intake import encode_document, parse_document
from quire_contracts.partitioned import Partition
from quire_contracts.sweeps import variant_bodies
from quire_preprocessing.families.merging import decides_nothing, part_problem
from quire_preprocessing.families.needing import need_of, need_of_loop, need_of_parts
from quire_preprocessing.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_contracts.document import SweepJob
    from quire_contracts.family import Role
    from quire_contracts.problems import Ising
    from quire_preprocessing.families.splitting import Part
    from quire_preprocessing.optimize.ising import Energy

NARROWEST = 4
"""Parts of fewer variables would not make the merge a smaller problem."""


class Member(NamedTuple):
    """A child to be: as in `quire_contracts.family.ChildPlan`, with its document's JSON, or None to decide nothing."""

    name: str
    role: Role
    body: bytes | None
    label: str = ""
    x: float | None = None
    variables: tuple[int, ...] = ()
    need: float = 1.0


def partition_of(document: OptimizeJob, variables: int, widest: int) -> Partition | None:
    """How the problem is to be taken apart; None where it is solved whole.

    It is where the document says so, or where it is wider than the `widest` that can be run.

    Raises:
        Refused: if it has more variables than parts are made for.
    """
    asked = document.partition
    if isinstance(asked, msgspec.UnsetType):
        if variables <= widest or widest < NARROWEST:
            return None
        asked = Partition(max_variables=limits.PART_VARIABLES)
    width = max(NARROWEST, min(asked.max_variables, widest))
    if variables <= width:
        return None
    if not isinstance(document.start, msgspec.UnsetType):
        raise refuse(
            "continued-in-parts",
            "/from",
            "a problem that is solved in parts has no loop of its own that could go on from another job's",
            hint="leave `from` out",
        )
    if variables > limits.PARTITIONED_VARIABLES:
        raise refuse(
            "problem-too-wide",
            "/problem",
            f"the problem has {variables} variables, and is too wide even for being solved in parts",
            limit=f"at most {limits.PARTITIONED_VARIABLES} variables in parts, {widest} as a whole",
            hint="fix or merge variables, or divide the problem",
        )
    return msgspec.structs.replace(asked, max_variables=width)


def variants(sweep: SweepJob, widest: int) -> list[Member]:
    """One member for each variant, in order; what each needs is looked at where there is a budget to be shared out.

    widest: the widest problem that is run whole.
    """
    shared = sweep.budget != Budget()
    points = zip(sweep.variants, variant_bodies(sweep), strict=True)
    return [
        Member(
            f"variant-{number}",
            "variant",
            body,
            variant.label or str(number),
            variant.x,
            need=need_of(parse_document(body), widest) if shared else 1.0,
        )
        for number, (variant, body) in enumerate(points)
    ]


def parts(document: OptimizeJob, energy: Energy, found: Sequence[Part]) -> list[Member]:
    """One member for each part; one in which nothing is to be decided has no document."""
    members = []
    for number, part in enumerate(found):
        problem = part_problem(energy, part)
        title = f"part {number + 1} of {len(found)}"
        body = None if decides_nothing(problem) else encode_document(_like(document, problem, title))
        label, need = f"{number + 1} of {len(found)}", need_of_loop(document, len(part))
        members.append(Member(f"part-{number}", "part", body, label, variables=part, need=need))
    return members


def merge(document: OptimizeJob, problem: Ising, partition: Partition) -> Member:
    """The member that says which parts to turn over. Of a merge too wide for one job only the last is polished."""
    job = _like(document, problem, "merge")
    if problem.n > partition.max_variables:
        job = msgspec.structs.replace(job, partition=msgspec.structs.replace(partition, polish_moves=0))
    need = need_of_parts(document, problem.n, partition.max_variables)
    return Member("merge", "merge", encode_document(job), f"of {problem.n} parts", need=need)


def _like(document: OptimizeJob, problem: Ising, title: str) -> OptimizeJob:
    """The document with another problem: what is said of the whole job, or of the whole problem, is left out."""
    name = document.name or "optimize"
    return msgspec.structs.replace(
        document,
        name=f"{name[: 126 - len(title)]}: {title}",
        problem=problem,
        partition=msgspec.UNSET,
        rules=msgspec.UNSET,
        start=msgspec.UNSET,
        seed=None,
        deadline_seconds=None,
        idempotency_key=None,
        budget=Budget(),
        tags={key: value for key, value in document.tags.items() if not key.startswith("node.")},
    )

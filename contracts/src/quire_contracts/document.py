"""The job document: what a team asks for, the same on the bus, over HTTP and in files."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts import limits
from quire_contracts.mitigation import Readout, Zne
from quire_contracts.optimizers import Optimizer, Spsa
from quire_contracts.problems import Problems
from quire_contracts.value import Name, Priority, Strict, Target, Tenant

Shots = Annotated[int, Meta(ge=1, le=limits.SHOTS)]
FewestShots = (
    Annotated[
        int,
        Meta(
            ge=1,
            le=limits.SHOTS,
            description="Shots that will do instead where backends are overloaded; by default no fewer will.",
        ),
    ]
    | msgspec.UnsetType
)
"""Unset rather than null, so that documents that do not say it have the digest that they always had."""

Program = Annotated[
    str, Meta(min_length=1, max_length=limits.PROGRAM_BYTES, description="OpenQASM 3 (or 2) source text.")
]
ParameterSet = Annotated[tuple[float, ...], Meta(max_length=limits.PARAMETERS)]
ParameterSets = Annotated[
    tuple[ParameterSet, ...],
    Meta(
        min_length=1,
        max_length=limits.PARAMETER_SETS,
        description="One row for each run; columns follow the order in which the program declares its inputs.",
    ),
]
PauliSum = Annotated[
    dict[Annotated[str, Meta(pattern=r"^[IXYZ]+\Z", max_length=limits.QUBITS)], float],
    Meta(
        min_length=1,
        max_length=limits.OBSERVABLE_TERMS,
        description="Pauli label to coefficient; the right-most character acts on qubit 0.",
    ),
]


class Budget(Strict, frozen=True):
    """What a job may spend at most. Work that would exceed it is not submitted."""

    max_usd: Annotated[float, Meta(ge=0)] | None = None
    max_shots: Annotated[int, Meta(ge=1)] | None = None


class ReadoutSetting(Readout, frozen=True, forbid_unknown_fields=True):
    """Take errors of reading out of the counts; `shots` are those of each circuit that measures them."""


class ZneSetting(Zne, frozen=True, forbid_unknown_fields=True):
    """Take errors of gates out of observables' values, by extrapolation from more noise to none.

    Each circuit runs once for each of the `scale_factors`. `linear` fits a line; `richardson` goes through every point;
    `exponential` fits a decay to a constant and needs three factors.
    """


class MitigationSetting(Strict, frozen=True):
    """What is to be done about the target's noise; recorded with the execution. Costs circuits, and variance."""

    readout: ReadoutSetting | None = None
    zne: ZneSetting | None = None


class Qaoa(Strict, frozen=True, tag_field="name", tag="qaoa"):
    """The quantum approximate optimisation algorithm (Farhi et al., 2014).

    `sweep` start points are pre-screened in one batch, at most 2,048 angles in all, so fewer for deep circuits;
    `initial` (2 x layers angles: all gammas, then all betas) replaces the pre-screen.
    A gamma is in units of the problem's weights: it multiplies the cost operator divided by the root mean square of its
    terms, which is 1 for an unweighted MaxCut. A beta turns the mixer `rx(-2 beta)`.
    """

    layers: Annotated[int, Meta(ge=1, le=limits.LAYERS)] = 2
    optimizer: Optimizer = msgspec.field(default_factory=Spsa)
    sweep: Annotated[int, Meta(ge=1, le=1_024)] = 64
    initial: Annotated[tuple[float, ...], Meta(max_length=2 * limits.LAYERS)] = ()


class Job(Strict, frozen=True):
    """What every kind of job has in common; all of it is optional."""

    name: Name = ""
    tenant: Tenant = "default"
    project: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}\Z")] = "default"
    priority: Priority = "research"
    deadline_seconds: Annotated[float, Meta(gt=0, le=limits.DEADLINE_SECONDS)] | None = None
    seed: Annotated[int, Meta(ge=0, le=limits.SEED)] | None = None
    targets: Annotated[tuple[Target, ...], Meta(max_length=limits.TARGETS)] = ()
    budget: Budget = msgspec.field(default_factory=Budget)
    idempotency_key: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}\Z")] | None = None
    tags: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=limits.TAGS)
    ] = msgspec.field(default_factory=dict)
    mitigation: MitigationSetting | msgspec.UnsetType = msgspec.UNSET


class SampleJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="sample"):
    """Sample a circuit: counts for each parameter set."""

    program: Program
    parameters: ParameterSets = ((),)
    shots: Shots = 1024
    min_shots: FewestShots = msgspec.UNSET


class EstimateJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="estimate"):
    """Estimate observables: values and standard errors of shape [parameter sets, observables].

    `precision` is the standard error asked for by each unit coefficient; 0 asks for exact values.
    `coarsest_precision` is what will do instead where backends are overloaded; by default nothing else will.
    """

    program: Program
    observables: Annotated[tuple[PauliSum, ...], Meta(min_length=1, max_length=limits.OBSERVABLES)]
    parameters: ParameterSets = ((),)
    precision: Annotated[float, Meta(ge=0, le=1)] = 0.0
    coarsest_precision: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType = msgspec.UNSET


class OptimizeJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="optimize"):
    """Optimise a problem with binary variables by a variational loop, beside a classical baseline."""

    problem: Problems
    algorithm: Qaoa = msgspec.field(default_factory=Qaoa)
    shots: Shots = 1024
    min_shots: FewestShots = msgspec.UNSET


JobDocument = SampleJob | EstimateJob | OptimizeJob
JobKind = Literal["sample", "estimate", "optimize"]
KINDS: dict[type, JobKind] = {SampleJob: "sample", EstimateJob: "estimate", OptimizeJob: "optimize"}

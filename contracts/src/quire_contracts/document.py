"""The job document: what a team asks for, the same on the bus, over HTTP and in files."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts import limits
from quire_contracts.continuation import From
from quire_contracts.kernel import FeatureMap, Features, Points, ZZMap
from quire_contracts.mitigation import Readout, Zne
from quire_contracts.optimizers import Optimizer, Spsa
from quire_contracts.partitioned import Partition
from quire_contracts.problems import Problems
from quire_contracts.value import Name, Priority, Program, Strict, Target, Tenant
from quire_contracts.verdict import AnswerRules
from quire_contracts.vqe import Vqe

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
    """What a job may spend at most. Work that would exceed it is not submitted.

    How long work will run nobody knows before, so `max_seconds` (of execution, at all targets together, without queues)
    is held against what ran: once they are spent nothing more is submitted, and a loop ends with what it has.
    """

    max_usd: Annotated[float, Meta(ge=0)] | None = None
    max_shots: Annotated[int, Meta(ge=1)] | None = None
    max_seconds: Annotated[float, Meta(gt=0)] | msgspec.UnsetType = msgspec.UNSET


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


class QaoaCircuit(Strict, frozen=True):
    """A circuit of QAOA: its layers, and whether the gates of a layer share their angles.

    `shared` gives each layer one gamma and one beta; `multi` gives every term of the cost operator and every qubit an
    angle of its own (ma-QAOA; Herrman et al., Scientific Reports 12, 6781, 2022), which start where shared ones would.
    """

    layers: Annotated[int, Meta(ge=1, le=limits.LAYERS)] = 2
    angles: Literal["shared", "multi"] = "shared"


class Qaoa(Strict, frozen=True, tag_field="name", tag="qaoa"):
    """The quantum approximate optimisation algorithm (Farhi et al., 2014).

    `sweep` start points are pre-screened in one batch, at most 2,048 angles in all, so fewer for deep circuits;
    `initial` (2 x layers angles: all gammas, then all betas) replaces the pre-screen.
    With `cvar` the loop minimises the mean energy of that share of the shots, the best ones, and not that of all shots
    (conditional value at risk; Barkoutsos et al., Quantum 4, 256, 2020). Optimisers that go by curves or derivatives
    cannot do that.
    A gamma is in units of the problem's weights: it multiplies the cost operator divided by the root mean square of its
    terms, which is 1 for an unweighted MaxCut. A beta turns the mixer `rx(-2 beta)`.
    `angles` are those of `QaoaCircuit`. With `candidates` in place of `layers` and `angles` the pre-screen chooses:
    each circuit has its start points, and the one goes on whose best energy, as the target's fidelity leaves it, is
    least; a smaller one that is as good within 1 % comes first. The best `starts` points go on, each with an optimiser
    run of its own, side by side in one task a round.
    `interpolated` climbs: the loop optimises one layer, stretches its angles to two (INTERP; Zhou et al., Phys. Rev. X
    10, 021067, 2020) and goes on from there, up to `layers`; each step has rounds in proportion to its layers.
    """

    layers: Annotated[int, Meta(ge=1, le=limits.LAYERS)] = 2
    optimizer: Optimizer = msgspec.field(default_factory=Spsa)
    sweep: Annotated[int, Meta(ge=1, le=1_024)] = 64
    initial: Annotated[tuple[float, ...], Meta(max_length=2 * limits.LAYERS)] = ()
    cvar: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType = msgspec.UNSET
    angles: Literal["shared", "multi"] | msgspec.UnsetType = msgspec.UNSET
    candidates: (
        Annotated[tuple[QaoaCircuit, ...], Meta(min_length=2, max_length=limits.CANDIDATES)] | msgspec.UnsetType
    ) = msgspec.UNSET
    starts: Annotated[int, Meta(ge=1, le=limits.STARTS)] | msgspec.UnsetType = msgspec.UNSET
    initialisation: Literal["linear-ramp", "interpolated"] | msgspec.UnsetType = msgspec.UNSET


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


class MinimizeJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="minimize"):
    """Minimise the energy of a Hamiltonian by a variational loop, beside a classical reference.

    The energy is the expectation of the `hamiltonian`, a sum of real coefficients times Pauli labels, plus the
    `constant`, such as the repulsion of nuclei or the energy of frozen electrons; both are in `unit`. In `hartree` the
    answer says whether it is within chemical accuracy. `precision` and `coarsest_precision` are those of an estimate.
    """

    hamiltonian: PauliSum
    constant: float = 0.0
    unit: Annotated[str, Meta(max_length=32)] = ""
    algorithm: Vqe = msgspec.field(default_factory=Vqe)
    precision: Annotated[float, Meta(ge=0, le=1)] = 0.0
    coarsest_precision: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType = msgspec.UNSET
    start: From | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="from")


class OptimizeJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="optimize"):
    """Optimise a problem with binary variables by a variational loop, beside a classical baseline."""

    problem: Problems
    algorithm: Qaoa = msgspec.field(default_factory=Qaoa)
    shots: Shots = 1024
    min_shots: FewestShots = msgspec.UNSET
    partition: Partition | msgspec.UnsetType = msgspec.UNSET
    start: From | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="from")
    rules: AnswerRules | msgspec.UnsetType = msgspec.UNSET


class KernelJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="kernel"):
    """A fidelity quantum kernel: |<phi(y)|phi(x)>|^2 for pairs of points, phi(x) the feature map's state of x.

    The matrix has a row for each of the `others`, or of the `points` where there are none, and a column for each of the
    `points`. Both have the same features; how those are chosen and scaled follows from the `points` alone, so that new
    points are told as the first were. `shots` are those of each entry; without them entries are exact. `enforce_psd`
    gives, instead of a matrix that shots have left with eigenvalues below 0, the nearest one that has none.
    """

    points: Annotated[Points, Meta(min_length=2)]
    others: Points = ()
    feature_map: FeatureMap = msgspec.field(default_factory=ZZMap)
    features: Features = msgspec.field(default_factory=Features)
    shots: Shots | None = None
    enforce_psd: bool = False


PartOfDocument = Annotated[dict[Annotated[str, Meta(max_length=64)], object], Meta(max_length=limits.FIELDS)]
"""Fields of a job document by name; what they hold is looked at when a variant is put together of them."""


class Variant(Strict, frozen=True):
    """One point of a sweep: the sweep's `base` with `patch` merged into it, as RFC 7396 merges JSON.

    `label` and `x` are what the table of results calls it.
    """

    patch: PartOfDocument = msgspec.field(default_factory=dict)
    label: Annotated[str, Meta(max_length=64)] = ""
    x: float | None = None


class SweepJob(Job, frozen=True, kw_only=True, tag_field="kind", tag="sweep"):
    """Many variants of one job document as one job, their answers in one table.

    Each variant is a whole document of kind `sample`, `estimate`, `optimize` or `minimize`: `base` with its patch,
    which without a base is all of it. What a variant does not say (project, priority, targets, tags) is as the sweep
    says; its deadline and budget are the sweep's, shared out. `x` says what the variants' `x` is, with its unit.
    `allow_partial` goes on without the variants that have no answer.
    """

    variants: Annotated[tuple[Variant, ...], Meta(min_length=1, max_length=limits.VARIANTS)]
    base: PartOfDocument = msgspec.field(default_factory=dict)
    x: Annotated[str, Meta(max_length=64)] = ""
    allow_partial: bool = False


JobDocument = SampleJob | EstimateJob | OptimizeJob | MinimizeJob | KernelJob | SweepJob
JobKind = Literal["sample", "estimate", "optimize", "minimize", "kernel", "sweep"]
KINDS: dict[type, JobKind] = {
    SampleJob: "sample",
    EstimateJob: "estimate",
    OptimizeJob: "optimize",
    MinimizeJob: "minimize",
    KernelJob: "kernel",
    SweepJob: "sweep",
}

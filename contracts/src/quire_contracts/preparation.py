"""What preprocessing is asked for, and what it states: structures, parameter sets, start points, a baseline."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quire_contracts.answers import Answer
from quire_contracts.kernel import Gram
from quire_contracts.mitigation import Mitigation
from quire_contracts.value import BlobRef, Fault, Key, Matrix, Problem, Seconds, Sha256, Tenant, Text, Timing, Value


class PrepareJob(Value, frozen=True):
    """Turn a job document (canonical JSON) into something that can run. `seed` makes the work repeatable."""

    job_id: Key
    tenant: Tenant
    document: BlobRef
    seed: int


class Estimate(Value, frozen=True):
    """What the work needs, before any device is chosen: a lower bound, all-to-all connectivity assumed."""

    qubits: int
    depth: int
    two_qubit_gates: int
    parameter_sets: int
    shots: int | None


MethodSeconds = dict[Annotated[str, Meta(max_length=64)], Seconds]


class Tried(Value, frozen=True):
    """What one classical method made of a problem, with an amount of work that was fixed before it ran.

    `value` and `feasible` are as in `Baseline`, None and False where it found no assignment. `exact` says that it
    proved its value optimal, or that nothing is feasible. `runs` are its starts from different points, and `hits` those
    of them that ended at `value`. `tuning` says how the work was set, and `note` what came of it.
    """

    method: Annotated[str, Meta(max_length=64)]
    value: float | None = None
    feasible: bool = False
    exact: bool = False
    runs: Annotated[int, Meta(ge=0)] = 1
    hits: Annotated[int, Meta(ge=0)] = 1
    tuning: Text = ""
    note: Text = ""


class Baseline(Value, frozen=True):
    """An honest classical answer to the same problem, in the problem's own units: the best of all methods tried.

    `assignment` is one 0 or 1 for each variable, variable 0 first. `exact` says that `value` is proven optimal.
    `feasible`, `violations` and `answer` are as in `result.Best`.
    """

    method: Annotated[str, Meta(max_length=64)]
    value: float
    assignment: tuple[int, ...]
    exact: bool
    worst: float | None = None
    """The worst possible value (of a feasible assignment) where it is known, for the approximation ratio."""

    feasible: bool = True
    violations: tuple[Text, ...] = ()
    answer: Answer | None = None

    bound: float | None = None
    """No feasible answer is better than this: none is below it where little is good, none above it where much is. It
    holds for the problem itself, its constraints included, to a solver's tolerance (1e-6 of the bound). It is `value`
    where that is `exact`; None where no bound is at hand."""

    bound_method: Annotated[str, Meta(max_length=64)] = ""
    gap: float | None = None
    """|value - bound| / max(1, |bound|); None without a bound, or where the baseline is not feasible."""

    tried: tuple[Tried, ...] = ()
    """Every method in the order in which they ran; after a proof no further one is run."""

    budget_seconds: Seconds = 0.0
    """Seconds of one core that the work of each method was measured out for; what it took stands in `method_seconds`,
    apart, because it is never twice the same. 0 where nothing was measured out."""


class Spectrum(Value, frozen=True):
    """How a loop's energy depends on one of its parameters, the others held: a trigonometric polynomial.

    Its frequencies, in 1 / radian, are multiples 1..`count` of `spacing`. `count` is an upper bound.
    """

    spacing: Annotated[float, Meta(gt=0)]
    count: Annotated[int, Meta(ge=1)]


class Columns(Value, frozen=True):
    """How the parameters of a structure follow from those of its loop, one entry for each of the structure's.

    Parameter k of the structure is `scales[k]` times the loop's number `sources[k]` plus `offsets[k]`, in radians; a
    constant has the scale 0.
    """

    sources: tuple[Annotated[int, Meta(ge=0)], ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]


class LoopCircuit(Value, frozen=True):
    """One of several circuits that a loop may vary: what `Preparation` and `Loop` say of the one in use."""

    name: Text
    structure: BlobRef
    estimate: Estimate
    start_points: Matrix
    spectra: tuple[Spectrum | None, ...] = ()
    columns: Columns | None = None


class Loop(Value, frozen=True):
    """Where a variational loop starts.

    `start_points` is [candidates, parameters]: the pre-screen's sweep. The objective of a problem is
    `scale * energy` with energy the expectation of the (single) observable, which the loop minimises; `scale` is -1
    where the problem maximises. `problem` is the JSON of the problem (`problems.Problems`) that answers are held
    against; `unit` says what its objective counts. The encoded objective has penalties beside it, or is the square of
    the problem's own: what is reported is worked out from the problem.
    """

    start_points: Matrix
    scale: Literal[1, -1]
    problem: BlobRef | None = None
    unit: Text = ""
    spectra: tuple[Spectrum | None, ...] = ()
    """One for each parameter, None where its frequencies are no multiples of one, or too many; none at all where
    nobody asked."""

    columns: Columns | None = None
    """None where the loop's parameters are the structure's, in order."""

    cvar: Annotated[float, Meta(gt=0, le=1)] | None = None
    """The share of the shots, the best ones, whose mean energy is minimised; None for all."""

    circuits: tuple[LoopCircuit, ...] = ()
    """Those that the pre-screen chooses between, or that the loop `climbs` through in order, the first one in use; none
    where there is one."""

    climbs: bool = False
    """Whether the circuits are those of QAOA with one layer, two and so on, each beginning at the interpolated angles
    of the one before it."""

    starts: int = 1
    """How many of the best start points go on, each with an optimiser run of its own."""

    mixed: float | None = None
    """The energy of the maximally mixed state, which noise draws energies to; None where nothing is chosen by it."""


class Preparation(Value, frozen=True):
    """The deterministic part of a preparation: equal documents and seeds give equal bytes.

    `structure` is canonical OpenQASM 3 text; `parameters` is [sets, structure parameters]; `observables` is the JSON
    of a list of `Observable`, or none for sampling. `shots` None asks for exact values.
    `baseline` is that of a release that found it before the job ran; it is said in `BaselineFound` since.
    """

    structure: BlobRef
    qubits: int
    parameters: Matrix | None
    observables: BlobRef | None
    shots: int | None
    input_sha256: Sha256
    estimate: Estimate
    loop: Loop | None = None
    baseline: Baseline | None = None
    notes: tuple[Text, ...] = ()
    mitigation: Mitigation | None = None
    kernel: Gram | None = None


class JobPrepared(Value, frozen=True):
    """A job is ready to be routed. `baseline_to_come` says that its classical answer is being found meanwhile.

    `baseline_seconds` and `method_seconds` are those of a release that found the baseline before the job ran.
    """

    job_id: Key
    tenant: Tenant
    preparation: Preparation
    timings: tuple[Timing, ...] = ()
    baseline_seconds: Seconds = 0.0
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    baseline_to_come: bool = False


class PreparationFailed(Value, frozen=True):
    """A job cannot be prepared: an invalid program or problem has its `problems`, anything else only its fault."""

    job_id: Key
    tenant: Tenant
    fault: Fault
    problems: tuple[Problem, ...] = ()


class FindBaseline(Value, frozen=True):
    """Find the classical answer to a job's problem while the job runs. `document` is the job's, as it was prepared."""

    job_id: Key
    tenant: Tenant
    document: BlobRef


class BaselineFound(Value, frozen=True):
    """The classical answer to a job's problem; the time that it took stands apart from what is deterministic.

    Equal problems have equal baselines, whatever the jobs' seeds. `baseline_seconds` and `method_seconds` (method to
    seconds) are what working it out took, for this job or for an earlier one with the same problem. It may come before
    its job is known to be prepared.
    """

    job_id: Key
    tenant: Tenant
    baseline: Baseline
    baseline_seconds: Seconds = 0.0
    method_seconds: MethodSeconds = msgspec.field(default_factory=dict)
    timings: tuple[Timing, ...] = ()


class BaselineFailed(Value, frozen=True):
    """A job has no classical answer, and goes on without one.

    With `problems` there is no answer at all: it is proven that no assignment is feasible, and the job is rejected.
    """

    job_id: Key
    tenant: Tenant
    fault: Fault
    problems: tuple[Problem, ...] = ()

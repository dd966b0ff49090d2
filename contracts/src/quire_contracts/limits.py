"""Every size, depth and length limit of the wire in one table, so that a refusal can name the limit it applied."""

from typing import Final

MESSAGE_BYTES: Final = 256 * 1024
"""A message's body and headers together, on the bus."""

DOCUMENT_BYTES: Final = 1024 * 1024
"""A job document over HTTP or in a file; above `MESSAGE_BYTES` it travels by content address."""

DOCUMENT_DEPTH: Final = 16
"""Nesting of objects and arrays in a job document; the deepest legal one needs six."""

PROGRAM_BYTES: Final = 256 * 1024
INLINE_BYTES: Final = 16 * 1024
"""Content up to this size travels inside its `BlobRef`."""

PARAMETER_SETS: Final = 10_000
PARAMETERS: Final = 4_096
"""Numbers in one parameter set."""

OBSERVABLES: Final = 1_000
OBSERVABLE_TERMS: Final = 10_000
QUBITS: Final = 200
SHOTS: Final = 1_000_000
VARIABLES: Final = 10_000
"""Variables of an optimisation problem."""

PARTITIONED_VARIABLES: Final = 512
"""Of a problem that is solved in parts; the polish looks at every pair of them."""

PART_VARIABLES: Final = 12
"""Of a part, where nobody said how many."""

POLISH_MOVES: Final = 10_000
VARIANTS: Final = 100
"""Of a sweep."""

CHILD_REASON: Final = 160
"""Characters of why a child ended as it did, in its parent's record; its own record has all of it."""

TARGETS_TOLD_APART: Final = 32
FAULTS_TOLD_APART: Final = 16
"""In the account of what ran for a job and its children."""

SWEEP_BYTES: Final = 8 * 1024 * 1024
"""Of the documents of a sweep's variants, all together; each is looked at before the sweep is taken."""

COUPLINGS: Final = 200_000
CITIES: Final = 100
"""Of a tour; (n - 1)^2 variables stand for n cities."""

ROUTED_PLACES: Final = 13
"""Of a vehicle routing problem, its depot included: up to 2^(n - 1) - 1 variables stand for n places."""

ASSETS: Final = 200
"""Of a portfolio; its covariances are their square."""

POINTS: Final = 1_000
"""Of a kernel, in its rows or in its columns."""

FEATURES: Final = 64
"""Of a point; fewer are encoded."""

FEATURE_MAP_REPETITIONS: Final = 10
KERNEL_QUBITS: Final = 12
"""Of a feature map: the chance that all of them are read as 0 is asked for as a sum of 2^qubits Pauli strings."""

KERNEL_ENTRIES: Final = 20_000
"""Of a kernel that differ, each one a circuit: 200 points among each other."""

LAYERS: Final = 32
CANDIDATES: Final = 8
"""Circuits that a pre-screen chooses between."""

CANDIDATE_NUMBERS: Final = 1_024
"""Parameters of them, all together: until one is chosen, what is known of each stands in the job's record."""

STARTS: Final = 16
"""Start points that go on, each with an optimiser run of its own."""

ROUNDS: Final = 1_000
REPLAYED_ROUNDS: Final = 200
"""Of an optimiser whose state is its evaluations: what it costs to replay them grows with their square."""

LOOP_NUMBERS: Final = INLINE_BYTES // 8
"""Of the parameter sets of a loop's task, all together: they travel inside its message."""

DEADLINE_SECONDS: Final = 7 * 24 * 3600.0
TARGETS: Final = 8
TAGS: Final = 32
FIELDS: Final = 64
"""Of a document, or of a part of one."""

NOISE_SCALE: Final = 25
"""The largest factor by which gates are multiplied to extrapolate to no noise."""

NOISE_SCALES: Final = 8
SEED: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

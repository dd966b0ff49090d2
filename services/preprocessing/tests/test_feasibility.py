"""What a job is said to need before any device is chosen."""

from quire_preprocessing.feasibility import estimate
from quire_quantum.structure import Operation, Structure


def test_an_estimate_says_what_the_whole_job_needs():
    structure = Structure(3, 0, 0, (Operation("cx", (0, 1)),))
    needs = estimate(structure, 7, 2_100)
    assert (needs.qubits, needs.parameter_sets, needs.shots, needs.two_qubit_gates) == (3, 7, 2_100, 1)
    assert needs.depth == 1
    assert estimate(structure, 7, None).shots is None

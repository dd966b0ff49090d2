"""Writes the Hamiltonians of h2.json, lih.json and h2_dissociation.json anew, from first principles.

    uv run --with pyscf==2.14.0 python examples/molecules.py

Integrals and Hartree-Fock orbitals are PySCF's (Sun et al., J. Chem. Phys. 153, 024109, 2020) in the STO-3G basis. Of
LiH the core orbital is frozen and the two pi orbitals, empty in the ground state, are left out. Spin orbitals,
those of spin up first, become qubits by the parity mapping (Seeley, Richard, Love, J. Chem. Phys. 137, 224109, 2012);
the two qubits that hold the parities of the electrons with spin up and of all electrons have one value and are removed.
The signs of off-diagonal coefficients are those of the orbitals, which no calculation determines; the energies do not
depend on them.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
from pyscf import ao2mo, gto, scf

HERE = Path(__file__).parent
PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}
DISTANCES = [round(0.3 + 0.1 * step, 1) for step in range(20)]
NOTHING = 1e-10
"""Hartree: coefficients below are 0 by symmetry."""


def integrals(atoms: str, frozen: list[int], active: list[int]) -> tuple[float, np.ndarray, np.ndarray]:
    """The constant, one-electron and two-electron (chemists' order) integrals over the active molecular orbitals."""
    molecule = gto.M(atom=atoms, basis="sto-3g", unit="Angstrom", verbose=0)
    field = scf.RHF(molecule)
    field.conv_tol = 1e-12
    field.run()
    orbitals = field.mo_coeff
    one = orbitals.T @ field.get_hcore() @ orbitals
    two = ao2mo.restore(1, ao2mo.kernel(molecule, orbitals), orbitals.shape[1])
    constant = molecule.energy_nuc() + sum(2 * one[i, i] for i in frozen)
    constant += sum(2 * two[i, i, j, j] - two[i, j, j, i] for i in frozen for j in frozen)
    mean = one + sum(2 * two[:, :, i, i] - two[:, i, i, :] for i in frozen) if frozen else one
    return float(constant), mean[np.ix_(active, active)], two[np.ix_(*[active] * 4)]


def annihilate(mode: int, modes: int) -> np.ndarray:
    """The operator that empties a spin orbital; bit k of an index is the occupation of spin orbital k."""
    matrix = np.zeros((1 << modes, 1 << modes))
    for state in range(1 << modes):
        if state >> mode & 1:
            matrix[state ^ 1 << mode, state] = (-1) ** (state & ((1 << mode) - 1)).bit_count()
    return matrix


def fermionic(constant: float, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The Hamiltonian over all occupations: spin up is modes 0..n-1, spin down n..2n-1."""
    n = len(one)
    lower = [annihilate(mode, 2 * n) for mode in range(2 * n)]
    hop = [[lower[p].T @ lower[q] for q in range(2 * n)] for p in range(2 * n)]
    matrix = constant * np.eye(1 << 2 * n)
    for p, q, spin in itertools.product(range(n), range(n), (0, n)):
        matrix += one[p, q] * hop[p + spin][q + spin]
    for p, q, r, s in itertools.product(range(n), repeat=4):
        for left, right in itertools.product((0, n), repeat=2):
            raised = lower[p + left].T @ lower[r + right].T @ lower[s + right] @ lower[q + left]
            matrix += 0.5 * two[p, q, r, s] * raised
    return matrix


def tapered(matrix: np.ndarray, up: int, down: int) -> np.ndarray:
    """The part with these parities of electrons, in the parity mapping without the two qubits that hold them."""
    modes = len(matrix).bit_length() - 1
    n = modes // 2
    kept = [mode for mode in range(modes) if mode not in (n - 1, modes - 1)]
    places = {}
    for state in range(len(matrix)):
        parities = [(state & ((2 << mode) - 1)).bit_count() % 2 for mode in range(modes)]
        if (parities[n - 1], parities[modes - 1]) == (up % 2, (up + down) % 2):
            places[sum(parities[mode] << qubit for qubit, mode in enumerate(kept))] = state
    order = [places[index] for index in range(len(places))]
    return matrix[np.ix_(order, order)]


def paulis(matrix: np.ndarray) -> dict[str, float]:
    """The labels whose coefficients are not 0, the right-most character for qubit 0, to twelve decimals."""
    qubits = len(matrix).bit_length() - 1
    found = {}
    for letters in itertools.product("IXYZ", repeat=qubits):
        product = np.eye(1)
        for letter in letters:
            product = np.kron(product, PAULI[letter])
        coefficient = float(np.trace(product @ matrix).real) / len(matrix)
        if abs(coefficient) > NOTHING:
            found["".join(letters)] = round(coefficient, 12)
    return found


def hydrogen(distance: float) -> dict[str, float]:
    """Two qubits: both orbitals, both electrons."""
    return paulis(tapered(fermionic(*integrals(f"H 0 0 0; H 0 0 {distance}", [], [0, 1])), 1, 1))


def lithium_hydride(distance: float) -> dict[str, float]:
    """Four qubits: the three sigma orbitals above the core, two electrons."""
    return paulis(tapered(fermionic(*integrals(f"Li 0 0 0; H 0 0 {distance}", [0], [1, 2, 5])), 1, 1))


def main() -> None:
    """Put fresh Hamiltonians into the three documents."""
    for name, terms in (("h2.json", hydrogen(0.735)), ("lih.json", lithium_hydride(1.6))):
        document = json.loads((HERE / name).read_text())
        (HERE / name).write_text(json.dumps(document | {"hamiltonian": terms}, indent=2) + "\n")
    path = HERE / "h2_dissociation.json"
    curve = json.loads(path.read_text())
    curve["variants"] = [
        {"label": f"{distance} angstrom", "x": distance, "patch": {"hamiltonian": hydrogen(distance)}}
        for distance in DISTANCES
    ]
    path.write_text(json.dumps(curve, indent=2) + "\n")


if __name__ == "__main__":
    main()

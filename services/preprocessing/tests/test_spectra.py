"""The frequencies of QAOA's angles: what is said of them holds for the energy itself, worked out by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_contracts.preparation import Spectrum
from quire_contracts.problems import Ising, MaxCut, Qubo
from quire_preprocessing.optimize.ising import energy_of
from quire_preprocessing.optimize.qaoa import angle_unit
from quire_preprocessing.optimize.spectra import common_measure, spectra

RING = MaxCut(edges=tuple((i, (i + 1) % 6, 1.0) for i in range(6)))
STAR = MaxCut(edges=tuple((0, i, 1.0) for i in range(1, 5)))
WEIGHTED = MaxCut(edges=((0, 1, 2.0), (1, 2, 3.0), (2, 3, 1.0)))
QUBO = Qubo(n=4, linear=(1.0, -2.0, 0.0, 1.0), quadratic=((0, 1, 4.0), (2, 3, -2.0)), offset=2.0)
FIELD = Ising(n=3, h=(0.5, 0.0, -1.0), j=((0, 1, 1.0), (1, 2, 0.5)))


def expectation(energy, angles):
    """The energy of the QAOA state, by the formula."""
    n, layers = energy.variables, len(angles) // 2
    bits = [[index >> i & 1 for i in range(n)] for index in range(2**n)]
    values = np.array([energy.of(each) for each in bits])
    state = np.full(2**n, 2 ** (-n / 2), complex)
    for gamma, beta in zip(angles[:layers], angles[layers:], strict=True):
        turned = np.exp(-1j * gamma * (values - energy.offset) / angle_unit(energy))
        state = (state * turned).reshape((2,) * n)
        for axis in range(n):
            state = np.cos(beta) * state + 1j * np.sin(beta) * np.flip(state, axis)
        state = state.reshape(-1)
    return float(np.abs(state) ** 2 @ values)


def waves(energy, angles, index, spectrum):
    """Sizes of the energy's waves along one angle, orders 0 to 2 R of the spectrum's spacing."""
    count = 4 * spectrum.count + 1
    shifts = np.arange(count) * 2 * np.pi / spectrum.spacing / count
    along = [expectation(energy, angles + shift * np.eye(len(angles))[index]) for shift in shifts]
    return np.abs(np.fft.rfft(along)) / count


@pytest.mark.parametrize(
    "problem", [RING, STAR, WEIGHTED, QUBO, FIELD], ids=["ring", "star", "weights", "qubo", "field"]
)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_energy_has_no_other_frequencies(problem, layers):
    energy = energy_of(problem)
    angles = np.random.default_rng(3).uniform(-1.5, 1.5, 2 * layers)
    found = spectra(energy, layers, 100)
    assert len(found) == 2 * layers
    for index, spectrum in enumerate(found):
        sizes = waves(energy, angles, index, spectrum)
        assert sizes[spectrum.count + 1 :].max() < 1e-12
        assert sizes[1 : spectrum.count + 1].max() > 1e-3


def test_a_rings_light_cones_do_not_grow_with_it():
    expected = (5, 3, 4, 2)
    for length in (8, 20):
        ring = energy_of(MaxCut(edges=tuple((i, (i + 1) % length, 1.0) for i in range(length))))
        found = spectra(ring, 2, 100)
        assert [spectrum.count for spectrum in found] == list(expected)
        assert found[0] == Spectrum(spacing=1.0, count=5)
        assert found[3] == Spectrum(spacing=2.0, count=2)


def test_the_bound_is_reached():
    """A ring's last mixer really has two frequencies: one fewer would be wrong."""
    energy = energy_of(RING)
    sizes = waves(energy, np.array([0.4, 0.7, 0.5, 0.3]), 3, Spectrum(spacing=2.0, count=2))
    assert sizes[2] > 1e-2


def test_weights_without_a_common_measure_have_no_spectrum_and_mixers_always_do():
    found = spectra(energy_of(MaxCut(edges=((0, 1, 0.37), (1, 2, 0.911)))), 1, 100)
    assert found == (None, Spectrum(spacing=2.0, count=2))


def test_too_many_frequencies_are_none():
    found = spectra(energy_of(MaxCut(edges=((0, 1, 1.0), (1, 2, 50.0)))), 1, 30)
    assert found[0] is None


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.floats(0.01, 100))
def test_multiples_of_a_number_have_a_common_measure(multiples, unit):
    measure = common_measure([multiple * unit * (-1) ** multiple for multiple in multiples])
    assert measure is not None
    assert measure / unit == pytest.approx(np.gcd.reduce(multiples), rel=1e-9)

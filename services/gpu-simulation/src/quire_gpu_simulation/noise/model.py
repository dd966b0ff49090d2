"""Noise models as data: read from TOML, checked whole."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from quire_quantum.structure import GATES

Probability = Annotated[float, Meta(ge=0, le=1)]
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class NoiseModelError(ValueError):
    """A noise model that cannot be read; the message names the place."""


class GateErrors(Struct, frozen=True, forbid_unknown_fields=True):
    """What follows each gate of one kind.

    depolarizing: with this probability the gate's qubits are replaced by the fully mixed state.
    amplitude_damping: the probability that a qubit in 1 falls to 0, of each qubit.
    phase_damping: the share of a qubit's coherence, squared, that is lost, of each qubit.
    """

    depolarizing: Probability = 0.0
    amplitude_damping: Probability = 0.0
    phase_damping: Probability = 0.0


class Readout(Struct, frozen=True, forbid_unknown_fields=True):
    """The probability to read 1 where 0 is, and 0 where 1 is, of each qubit."""

    one_for_zero: Probability = 0.0
    zero_for_one: Probability = 0.0


class NoiseModel(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of noisy machine; gates of three qubits are made of gates of two, as they are on machines."""

    description: str = ""
    one_qubit: GateErrors = GateErrors()
    two_qubit: GateErrors = GateErrors()
    readout: Readout = Readout()
    noiseless: tuple[str, ...] = ()

    def after(self, name: str, width: int) -> GateErrors:
        """What follows a gate of this name on so many qubits."""
        if name in self.noiseless:
            return GateErrors()
        return self.one_qubit if width == 1 else self.two_qubit


def read_models(text: str) -> dict[str, NoiseModel]:
    """The models of a TOML document by name.

    Raises:
        NoiseModelError: it is not TOML, a value is out of range, or a name is not one.
    """
    try:
        models = msgspec.toml.decode(text, type=dict[str, NoiseModel])
    except (msgspec.MsgspecError, ValueError) as error:
        raise NoiseModelError(f"the noise models cannot be read: {error}") from error
    for name, model in models.items():
        if not _NAME.fullmatch(name):
            raise NoiseModelError(f"{name!r} is no name for a noise model: {_NAME.pattern}")
        unknown = sorted(set(model.noiseless) - set(GATES))
        if unknown:
            raise NoiseModelError(f"{name}: there are no gates {', '.join(unknown)}")
    return models


def built_in() -> dict[str, NoiseModel]:
    """The models that are always there."""
    return read_models(files(__package__).joinpath("built_in.toml").read_text("utf-8"))

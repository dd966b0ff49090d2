"""The optimisers, ask and tell: each is a module of pure functions over a state that is plain JSON.

A module has a `State` (a frozen struct, its random generator's state included) and three functions. `begin` makes the
state of a run; `ask` gives the points to evaluate in the next round, the same ones however often it is asked, and none
when nothing is left to ask; `tell` gives the state after the round. A state that went through JSON goes on bit for bit.
Modules are imported when a loop first needs them: NumPy, cmaes and SciPy are not loaded into a process without loops.
"""

from __future__ import annotations

import functools
import importlib
import sys
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import msgspec

from quire_contracts.optimizers import Optimizer
from quire_control_plane.loops.optimizers.start import Points, Start

SEVERAL: Final = "several"
MODULES: Final = {
    "spsa": "spsa",
    "nft": "nft",
    "cma-es": "cma_es",
    "parameter-shift": "parameter_shift",
    "scipy": "replayed",
    SEVERAL: "several",
}
"""The module of each optimiser, by its name in a document, and that of several runs side by side."""

POPULATIONS: Final = frozenset({"cma-es"})
"""Optimisers whose points are all candidates; the first point of all others is the one where they stand."""

SLOW: Final = frozenset({"scipy", "cma-es"})
"""Optimisers that repeat in every round what came before it, or work on large matrices: they take milliseconds."""


class Method(Protocol):
    """What an optimiser's module offers."""

    State: type[Any]

    def begin(self, settings: Any, start: Start) -> Any:
        """The state of a run that has been told nothing yet."""
        ...

    def ask(self, state: Any) -> Points:
        """The points of the next round; none when the run has come to its end."""
        ...

    def tell(self, state: Any, values: tuple[float, ...]) -> Any:
        """The state after a round, given the values of its points, to be minimised.

        Raises:
            ValueError: if the number of values is not the number of points.
        """
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """An optimiser on its way: its name in documents, and its state."""

    name: str
    state: Any

    def ask(self) -> Points:
        """The points of the next round; none when the run has come to its end."""
        return _method(self.name).ask(self.state)

    def tell(self, values: tuple[float, ...]) -> Run:
        """The run after a round, given the values of its points.

        Raises:
            ValueError: if the number of values is not the number of points.
        """
        return Run(self.name, _method(self.name).tell(self.state, values))

    def stands(self, values: tuple[float, ...]) -> int:
        """Which of a round's points stands for it: where the optimiser is, or the lowest of a population."""
        if self.name == SEVERAL:
            return cast("int", cast("Any", _method(SEVERAL)).stands(self.state, values))
        return min(range(len(values)), key=lambda row: (values[row], row)) if self.name in POPULATIONS else 0

    @property
    def called(self) -> str:
        """The optimiser, by its name in documents."""
        return str(self.state.runs[0]["name"]) if self.name == SEVERAL else self.name

    def dump(self) -> dict[str, object]:
        """The run as plain JSON; `resume` reads it."""
        return {"name": self.name, "state": msgspec.to_builtins(self.state)}


def begin(settings: dict[str, object], *starts: Start) -> Run:
    """A run that has been told nothing yet, with the settings of a document (as `settings_of` wrote them).

    Where there are several starts it is a run from each of them, side by side.
    """
    asked: Any = msgspec.convert(settings, Optimizer)
    name = str(settings["name"])
    runs = tuple(Run(name, _method(name).begin(asked, start)) for start in starts)
    return runs[0] if len(runs) == 1 else Run(SEVERAL, cast("Any", _method(SEVERAL)).beside(runs))


def resume(dumped: dict[str, object]) -> Run:
    """The run that was dumped."""
    name = str(dumped["name"])
    return Run(name, msgspec.convert(dumped["state"], _method(name).State))


def settings_of(optimizer: Optimizer) -> dict[str, object]:
    """The settings of a document as plain JSON."""
    return cast("dict[str, object]", msgspec.to_builtins(optimizer))


def takes_long(dumped: dict[str, object]) -> bool:
    """Whether the next step is too long for an event loop: it is slow, or a library is to be loaded for it."""
    name = str(dumped["name"])
    if name == SEVERAL:
        runs = cast("dict[str, list[dict[str, object]]]", dumped["state"])["runs"]
        return any(map(takes_long, runs))
    return name in SLOW or not hasattr(sys.modules.get(_place(name)), "tell")  # half a module has no functions yet


def _place(name: str) -> str:
    return f"{__name__}.{MODULES[name]}"


@functools.cache
def _method(name: str) -> Method:
    return cast("Method", importlib.import_module(_place(name)))

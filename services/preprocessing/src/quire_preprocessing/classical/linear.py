"""Mixed-integer linear programs, and HiGHS to bound and solve them by a counted amount of work."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import highspy

TOLERANCE: Final = 1e-6
"""To which HiGHS holds rows and whole numbers, relative to the largest cost or to the bound."""

_LOOKS_A_SECOND: Final = 25e6
_GROWTH: Final = 1.8
"""HiGHS looks at its limits after each linear program; so many of them are solved, divided by a power of the rows."""

_FEWEST_LOOKS: Final = 5

_PATIENCE: Final = 600.0
"""Seconds, and twenty budgets more, after which the clock ends what counting should have ended long before; then
nothing is said of the model at all."""


@dataclass(slots=True)
class Model:
    """A program to be minimised: columns between 0 and an upper bound, some of them whole, and rows."""

    costs: list[float] = field(default_factory=list)
    uppers: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    indices: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def column(self, cost: float, *, upper: float = 1.0, whole: bool = False) -> int:
        """Another column; gives its index."""
        self.costs.append(cost)
        self.uppers.append(upper)
        self.whole.append(whole)
        return len(self.costs) - 1

    def row(self, low: float, weights: Mapping[int, float], high: float) -> None:
        """``low <= sum of weights times columns <= high``."""
        self.lows.append(low)
        self.highs.append(high)
        self.indices.extend(weights)
        self.weights.extend(weights.values())
        self.starts.append(len(self.indices))


class Solution(NamedTuple):
    """What HiGHS says of a model.

    bound: no solution costs less; minus infinity where it knows nothing. The tolerance has been taken off.
    values: of the columns, of the best solution it found.
    """

    state: Literal["optimal", "infeasible", "stopped"]
    bound: float
    values: tuple[float, ...] | None


def looks_of(model: Model, seconds: float) -> int:
    """At which look at its limits HiGHS is stopped."""
    return max(_FEWEST_LOOKS, int(seconds * _LOOKS_A_SECOND / (len(model.lows) + 1) ** _GROWTH))


def minimise(model: Model, seconds: float) -> Solution:
    """The least cost of a model, or what is known of it after `looks_of` looks; blocking.

    One thread, a fixed seed, and steps that are counted instead of seconds: equal models have equal solutions. Costs
    are divided by a power of two, which rounds nothing.
    """
    import highspy  # noqa: PLC0415 - most problems are enumerated; it is heavy

    scale = 2.0 ** math.ceil(math.log2(max(map(abs, model.costs)) or 1.0))
    solver = highspy.Highs()
    options: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": 1,
        "parallel": "off",
        "random_seed": 0,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": TOLERANCE / 10,
        "time_limit": _PATIENCE + 20 * seconds,
    }
    for option, value in options.items():
        solver.setOptionValue(option, value)
    solver.passModel(_program(model, scale))
    solver.cbMipInterrupt.subscribe(_until(looks_of(model, seconds)))
    solver.run()
    return _read(solver, scale)


def _program(model: Model, scale: float) -> highspy.HighsLp:
    import highspy  # noqa: PLC0415 - as above

    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(model.costs), len(model.lows)
    program.col_cost_ = [cost / scale for cost in model.costs]
    program.col_lower_, program.col_upper_ = [0.0] * len(model.costs), model.uppers
    program.row_lower_, program.row_upper_ = model.lows, model.highs
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = model.starts
    program.a_matrix_.index_, program.a_matrix_.value_ = model.indices, model.weights
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    program.integrality_ = [kinds[whole] for whole in model.whole]
    return program


def _until(looks: int) -> Callable[[Any], None]:
    """Stops a search at this look at its limits; they come at the same steps of every search of a model."""
    taken = 0

    def look(event: Any) -> None:
        nonlocal taken
        taken += 1
        if taken >= looks:
            event.data_in.user_interrupt = True

    return look


def _read(solver: highspy.Highs, scale: float) -> Solution:
    import highspy  # noqa: PLC0415 - as above

    status, info = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return Solution("infeasible", math.inf, None)
    if status not in (
        highspy.HighsModelStatus.kOptimal,
        highspy.HighsModelStatus.kSolutionLimit,
        highspy.HighsModelStatus.kInterrupt,
        highspy.HighsModelStatus.kIterationLimit,
    ):
        return Solution("stopped", -math.inf, None)
    optimal = status == highspy.HighsModelStatus.kOptimal
    bound = info.mip_dual_bound
    if math.isfinite(bound):
        bound = (bound - TOLERANCE * max(1.0, abs(bound))) * scale
    solved = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    values = tuple(map(float, solver.getSolution().col_value)) if solved else None
    return Solution("optimal" if optimal and solved else "stopped", bound, values)

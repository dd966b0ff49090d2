"""Going on from an earlier job: what a document asks for, and what its job's record keeps of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from quire_contracts import limits
from quire_contracts.value import Key, Sha256, Strict, Value

Round = Annotated[int, Meta(ge=0, le=limits.ROUNDS)]


class From(Strict, frozen=True):
    """An earlier job of the same tenant and kind whose loop this one goes on from; there is then no pre-screen.

    Without a `round` it starts at the best parameters of that job, which must have ended (a warm start). With one it
    goes on as that job's loop stood after so many rounds, which count as its own: the same circuits, and the
    optimiser's state where the optimiser is set alike but for its number of rounds, its `patience` and its
    `min_improvement`; one that is set otherwise begins anew at the best parameters of those rounds. 0 is the state
    after that job's pre-screen. With `interpolate` the parameters of a shallower QAOA are stretched to its own layers
    (INTERP; Zhou et al., Phys. Rev. X 10, 021067, 2020).
    """

    job: Key
    round: Round | UnsetType = UNSET
    interpolate: bool = False


class Continuation(Value, frozen=True):
    """What a loop took over from the earlier job `job`, as it stood after `round`; None of one that had ended.

    `parameters` were the best ones there. `structure_sha256` and `observables_sha256` name what that loop measured.
    `resumes` says that the optimiser's state was taken over, and not the parameters alone; `interpolates` that the
    parameters are to be stretched to more layers.
    """

    job: Key
    parameters: tuple[float, ...]
    structure_sha256: Sha256
    observables_sha256: Sha256 | None = None
    round: Round | None = None
    resumes: bool = False
    interpolates: bool = False

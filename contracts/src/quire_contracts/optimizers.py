"""The optimisers that a loop may be driven by, with their settings, as a job document names them."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from quire_contracts import limits
from quire_contracts.value import Strict

Step = Annotated[float, Meta(gt=0, le=100)]


class Rounds(Strict, frozen=True):
    """How long a loop goes on: for so many rounds, or until `patience` rounds in a row brought nothing better.

    A round is better if its objective is, by more than `min_improvement` in the objective's units; by default, by
    anything.
    """

    rounds: Annotated[int, Meta(ge=1, le=limits.ROUNDS)] = 20
    patience: Annotated[int, Meta(ge=1, le=limits.ROUNDS)] | UnsetType = UNSET
    min_improvement: Annotated[float, Meta(ge=0)] | UnsetType = UNSET


class Spsa(Rounds, frozen=True, tag_field="name", tag="spsa"):
    """Simultaneous perturbation stochastic approximation (Spall, 1998); unset gains are calibrated from the sweep.

    Three parameter sets a round, eleven in the first where gains are calibrated.
    """

    learning_rate: Annotated[float, Meta(gt=0)] | None = None
    perturbation: Annotated[float, Meta(gt=0)] = 0.1


class Nft(Rounds, frozen=True, tag_field="name", tag="nft"):
    """One parameter a round goes to the lowest point of its curve (Nakanishi, Fujii, Todo, 2020; rotosolve).

    The curve is known exactly from 2 R + 1 parameter sets where the parameter has R frequencies that are multiples of
    one: R is 1 for an angle of a single rotation and more for an angle that many gates share, as QAOA's do. Weights
    without a common measure have no such curve, and are refused.
    """


class CmaEs(Rounds, frozen=True, tag_field="name", tag="cma-es"):
    """Covariance matrix adaptation evolution strategy (Hansen): `population` parameter sets a round.

    `sigma` is the first standard deviation, in radians. Unset, the population is 4 + floor(3 ln parameters).
    """

    sigma: Step = 0.3
    population: Annotated[int, Meta(ge=4, le=1_024)] | None = None

    def size(self, parameters: int) -> int:
        """Parameter sets of each round."""
        return self.population or 4 + math.floor(3 * math.log(parameters))


class ParameterShift(Rounds, frozen=True, tag_field="name", tag="parameter-shift"):
    """Gradient descent; all shifted circuits of a round are one task.

    Derivatives are exact, by the general parameter-shift rule (Wierichs et al., 2022), for parameters whose
    frequencies are multiples of one; of others they are central differences over +-`difference` radians. With `adam`
    the learning rate is about the length of a step along each parameter, in radians; a `plain` step is the learning
    rate times the gradient.
    """

    learning_rate: Step = 0.1
    method: Literal["adam", "plain"] = "adam"
    difference: Step = 0.1


class Scipy(Rounds, frozen=True, tag_field="name", tag="scipy"):
    """A minimiser of `scipy.optimize`, whose whole state is the list of evaluations that it was given.

    Its calls are replayed in each round, so there are at most 200. A round is one evaluation; of `l-bfgs-b` it is the
    value and the gradient, as `parameter-shift` has it, with its `difference`. `step`, in radians, is the first step
    of `cobyla` and `powell` and the edge of the first simplex of `nelder-mead`; `tolerance` is the minimiser's own, of
    `cobyla` its last step.
    A minimiser that has converged ends the loop.
    """

    method: Literal["cobyla", "nelder-mead", "powell", "l-bfgs-b"] = "cobyla"
    rounds: Annotated[int, Meta(ge=1, le=limits.REPLAYED_ROUNDS)] = 50
    step: Step = 0.3
    tolerance: Annotated[float, Meta(gt=0, le=1)] = 1e-3
    difference: Step = 0.1


Optimizer = Spsa | Nft | CmaEs | ParameterShift | Scipy


def fewest_sets(optimizer: Optimizer, parameters: int) -> int:
    """Parameter sets of the optimiser's usual round at least, whatever the structure."""
    match optimizer:
        case Spsa() | Nft():
            return 3
        case CmaEs():
            return optimizer.size(parameters)
        case ParameterShift() | Scipy(method="l-bfgs-b"):
            return 1 + 2 * parameters
        case Scipy():
            return 1

"""Angles of a shallow QAOA as a start for a deeper one."""

from __future__ import annotations


def stretched(parameters: tuple[float, ...], layers: int) -> tuple[float, ...]:
    """The angles, all gammas and then all betas, of so many layers, made of those of fewer.

    One layer after the other is added by INTERP (Zhou, Wang, Choi, Pichler, Lukin, Phys. Rev. X 10, 021067, 2020):
    angle i of p + 1 is (i - 1)/p times angle i - 1 of p, plus (p - i + 1)/p times its angle i.

    Raises:
        ValueError: the angles are no pairs, or of more layers.
    """
    depth, rest = divmod(len(parameters), 2)
    if rest or not 0 < depth <= layers:
        raise ValueError(f"{len(parameters)} angles cannot be stretched to {layers} layers")
    gammas, betas = parameters[:depth], parameters[depth:]
    for _ in range(layers - depth):
        gammas, betas = _one_more(gammas), _one_more(betas)
    return (*gammas, *betas)


def _one_more(angles: tuple[float, ...]) -> tuple[float, ...]:
    depth, padded = len(angles), (0.0, *angles, 0.0)
    return tuple(((i - 1) * padded[i - 1] + (depth - i + 1) * padded[i]) / depth for i in range(1, depth + 2))

"""What people read of a loop that chose between circuits or climbed."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from quire.screens import rounds_words, screened_table
from quire_contracts.result import Round, Screened

TWO = (
    Screened("1 layer", 2, 24, 7, 16, (3,), 7.25, 0.0421, "ibm:kyiv", 0.8123, 6.9, True, "it is as good, and smaller"),
    Screened("2 layers [x]", 4, 48, 13, 16, (5,), 7.5, None, "ibm:kyiv", None, 6.95, reason="the other is as good"),
)


def rounds(*layers: int | None) -> list[Round]:
    return [Round(place, 1.0, 1.0, None, "simulation", each) for place, each in enumerate(layers, 1)]


def printed(screened: tuple[Screened, ...]) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=100).print(screened_table(screened))
    return text.getvalue().splitlines()


def test_each_candidate_has_its_figures_and_the_chosen_one_its_reason() -> None:
    first, second, reason = [line for line in printed(TWO) if "layer" in line]
    assert all(word in first for word in ("24", "7.25 ± 0.042", "0.812", "6.9"))
    assert all(word in second for word in ("2 layers [x]", "48", "7.5", " - "))
    assert reason.strip() == "1 layer: it is as good, and smaller"


def test_without_a_device_there_is_no_word_of_noise() -> None:
    ideal = tuple(msgspec.structs.replace(each, fidelity=None) for each in TWO)
    assert not any("fidelity" in line or "expected" in line for line in printed(ideal))


def test_a_climb_says_how_many_rounds_each_number_of_layers_had() -> None:
    assert rounds_words(rounds(1, 1, 2, 2, 2, 3)) == "6 rounds: 2 of 1, 3 of 2, 1 of 3 layers"
    assert rounds_words(rounds(None, None)) == "2 rounds"
    assert (rounds_words([]), rounds_words(rounds(None))) == ("0 rounds", "1 round")

"""A verdict reads as a sentence, a table of both sides, and a confidence with its parts; nothing unknown is made up."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from quire.verdicts import headline, show_verdict
from quire_contracts.verdict import Confidence, Part, Spread, Verdict

BEHIND = Verdict(
    call="classical better",
    reason="the classical answer is better by 2, and proven optimal",
    certainty=1.0,
    value=59.0,
    feasible=True,
    classical=61.0,
    proven=True,
    bound=61.0,
    bound_method="exact enumeration",
    gap=2 / 61,
    approximation_ratio=59 / 61,
    success_probability=0.0,
    quantum_seconds=1.5,
    classical_seconds=0.25,
    budget_seconds=1.0,
    shots=20_480,
    cost_usd=1.25,
    confidence=Confidence(
        0.9,
        (Part("samples", 0.9, "4 of 1024 shots [of] it"), Part("health", None, "nothing ran")),
        "blend",
        ("the classical answer is better: 61",),
    ),
    answer="classical",
    remarks=("one run: the spread over seeds is not known",),
)


def shown(verdict: Verdict) -> str:
    out = io.StringIO()
    show_verdict(Console(file=out, width=140, soft_wrap=True), verdict)
    return " ".join(out.getvalue().replace("│", " ").split())


@pytest.mark.parametrize(
    "words",
    [
        "verdict: classical better (certainty 100.0%): the classical answer is better by 2, and proven optimal",
        "best objective 59 61",
        "proven bound 61 (exact enumeration)",
        "gap to the bound 3.28% 0.00%",
        "approximation ratio 0.9672",
        "success probability of a shot 0.00%",
        "time to solution at 99 % not reached by any shot",
        "spread over seeds not known: one run",
        "seconds 1.500 0.250 (each method had 1 s)",
        "cost 1.25 USD, 20480 shots",
        "samples 0.900 4 of 1024 shots [of] it",
        "health not known nothing ran",
        "product 0.900 the better of the two counts: the classical answer is better: 61",
        "one run: the spread over seeds is not known",
    ],
)
def test_every_figure_is_shown(words: str) -> None:
    assert words in shown(BEHIND)


def test_what_is_not_known_says_so() -> None:
    text = shown(Verdict(call="inconclusive", reason="there is no classical answer to compare with"))
    assert text.startswith("verdict: inconclusive: there is no")
    for words in ("best objective no answer not known", "proven bound not known", "time to solution at 99 % not known"):
        assert words in text


def test_a_time_to_solution_has_its_shots_and_its_seconds_with_the_loop() -> None:
    text = shown(Verdict(call="tie", reason="", success_probability=0.01, tts99_shots=459, tts99_seconds=5.918))
    assert "time to solution at 99 % 459 shots, 5.918 s with the loop" in text


def test_an_infeasible_answer_and_a_spread_are_told() -> None:
    spread = Spread(runs=5, least=10.0, mean=11.5, greatest=12.0, std_dev=0.5)
    text = shown(Verdict(call="classical better", reason="", value=9.0, feasible=False, spread=spread))
    assert "9 (not feasible)" in text
    assert "10 to 12, mean 11.5 of 5 runs" in text


def test_no_verdict_speaks_of_speed() -> None:
    assert "speed" not in shown(BEHIND) + headline(BEHIND)

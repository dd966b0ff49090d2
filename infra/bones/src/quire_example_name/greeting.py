"""The idea, pure: replace it by yours."""

import msgspec


class Greet(msgspec.Struct, frozen=True):
    """The question: greet somebody by `name`."""

    name: str


class Greeting(msgspec.Struct, frozen=True):
    """The answer."""

    words: str


def greet(question: Greet, first: str) -> Greeting:
    """Greet whoever the question names, beginning with `first`."""
    return Greeting(f"{first}, {question.name}")

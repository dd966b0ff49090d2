"""From messages to the idea and back."""

from quire_bus.router import Router
from quire_example_name.greeting import Greet, Greeting, greet
from quire_example_name.settings import Settings
from quire_service import Deps, Parts


async def build(deps: Deps[Settings]) -> Parts:
    """Everything that this service answers and consumes."""
    router = Router("example-name")

    @router.answer("greet", Greet)
    async def on_greet(question: Greet) -> Greeting:
        return greet(question, deps.settings.greeting)

    return Parts(routers=(router,))

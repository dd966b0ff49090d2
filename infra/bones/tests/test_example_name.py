from quire_example_name.__main__ import SERVICE
from quire_example_name.greeting import Greet, Greeting
from quire_example_name.settings import Settings
from quire_service import hosted


async def test_it_answers_on_a_real_broker(provisioned, bus):
    settings = Settings(nats_url=provisioned.url, greeting="good morning")
    async with hosted(SERVICE, settings) as running:
        assert await running.faults() == {}
        assert await bus.ask("example-name", "greet", Greet("Ada"), Greeting) == Greeting("good morning, Ada")

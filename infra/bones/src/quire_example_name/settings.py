"""What can be set from outside, as `QUIRE_EXAMPLE_NAME_<FIELD>`."""

from quire_service import Field, ServiceSettings


class Settings(ServiceSettings):
    """The settings of example-name."""

    greeting: str = Field(default="hello", min_length=1, max_length=100, description="What it says first.")

"""What the gateway can be told of remote providers: whose account, which devices, where, and at what price.

All of them are off until a device is named. Amazon's credentials come by its standard chain, not by settings.
"""

from __future__ import annotations

from typing import Annotated, Literal

from quire_service import Field, Secret, ServiceSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
DeviceArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:braket:[a-z0-9-]*:[0-9]*:device/.+$", max_length=256)]
Address = Annotated[str, Field(pattern=r"^https?://\S+$")]


class ProviderSettings(ServiceSettings):
    """The settings of remote providers, from QUIRE_QUANTUM_GATEWAY_*."""

    installation: str = Field(
        default="quire",
        pattern=r"^[a-z0-9]{1,20}$",
        description="Names this installation in the tags of its jobs. Installations sharing a provider's account need "
        "different names, or each takes the other's jobs for its own lost ones.",
    )
    call_seconds: float = Field(default=30.0, ge=1, le=600, description="The longest a call of a provider may take.")
    provider_calls: int = Field(default=64, ge=1, le=1_000, description="Calls of one provider under way at once.")

    aws_devices: dict[Name, DeviceArn] = Field(
        default={},
        description='Devices of Amazon Braket, served as aws:<name>, as JSON: {"sv1": "arn:aws:braket:...", ...}.',
    )
    aws_region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]{1,32}$", description="Of devices whose ARN names no region."
    )
    aws_account: str = Field(
        default="", pattern=r"^([0-9]{12})?$", description="The account's number; names the bucket where none is given."
    )
    aws_results_bucket: str = Field(
        default="", max_length=63, description="Where results are written; amazon-braket-<region>-<account> when empty."
    )
    aws_endpoint_url: Address | None = Field(default=None, description="Of Braket; Amazon's own when empty.")
    aws_s3_endpoint_url: Address | None = Field(default=None, description="Of S3; Amazon's own when empty.")
    aws_tasks_per_batch: int = Field(
        default=16, ge=1, le=1_000, description="Tasks that one batch may become; a program set is one task."
    )
    aws_task_usd: float = Field(
        default=0.3, ge=0, description="What a quantum computer's task costs besides its shots: no API says it."
    )
    aws_spending_limits: bool = Field(
        default=True, description="Look spending limits up before a task is created (braket:SearchSpendingLimits)."
    )

    ibm_backends: tuple[Name, ...] = Field(
        default=(), description="Backends of IBM Quantum, or of a cloud with such an API, served as ibm:<name>."
    )
    ibm_api: Literal["runtime", "jobs", "local"] = Field(
        default="runtime",
        description="runtime: IBM Quantum, by qiskit-ibm-runtime; jobs: a jobs API shaped like IBM's, at ibm_url; "
        "local: the library's stand-ins for backends (fake_...), run in this process.",
    )
    ibm_identity: Literal["tag", "none"] = Field(
        default="tag", description="none: the API at ibm_url keeps no tags, so that lost submissions must be parked."
    )
    ibm_url: Address | None = Field(default=None, description="Of the API; IBM's own when empty.")
    ibm_token: Secret | None = Field(
        default=None, description="The account's key; without one, what qiskit-ibm-runtime has saved."
    )
    ibm_instance: str = Field(
        default="", max_length=256, description="The instance's CRN or name; an account may have several."
    )
    ibm_job_seconds: int = Field(
        default=600, ge=1, le=10_800, description="Seconds of a job on a quantum computer, after which it is stopped."
    )
    ibm_second_usd: float = Field(
        default=0.0, ge=0, description="What such a second costs; a batch may cost all of them."
    )

"""The emulated cloud that the harness gives work to, and the gateways' settings for it."""

from __future__ import annotations

import json
from pathlib import Path

from quire_emulator.process import EmulatorProcess

FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
TARGETS = {"token": "aws:forte", "tag": "ibm:ibm_manila", "none": "ibm:ibm_manila"}
"""The target that has each kind of identity."""

CLOUD = f"""
seed = {{seed}}
search_lag = {{lag}}

[[devices]]
name = "Forte-1"
arn = "{FORTE}"
provider = "IonQ"
qubits = 36
wait = [{{least}}, {{most}}]
runs_at_once = 16
task_price = 0.3
shot_price = 0.08
counts_only = true

[[devices]]
name = "ibm_manila"
api = "jobs"
model = "manila"
qubits = 5
wait = [{{least}}, {{most}}]
runs_at_once = 16
shot_price = 0.0005
"""

PREFIX = "quire-"
"""How the tags begin that are a job's identity at the jobs API."""


def cloud(
    folder: Path, seed: int, *, wait: tuple[float, float] = (0.0, 0.2), lag: float = 0.2, script: Path | None = None
) -> EmulatorProcess:
    """A cloud with one device of the Braket API and one of the jobs API, without noise and with short queues."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "cloud.toml"
    config.write_text(CLOUD.format(seed=seed, lag=lag, least=wait[0], most=wait[1]), encoding="utf-8")
    return EmulatorProcess(folder / "cloud", config=config, script=script, seed=seed)


def gateway_environ(url: str, *, identity: str = "tag", quarantine: float = 6.0) -> dict[str, str]:
    """Settings of gateways that find both devices there; `identity` is that of the jobs API: tag or none.

    The quarantine is short, as the emulator's search lag is, so that a run ends in minutes; production's is 300 s.
    """
    settings = {
        "TARGETS": '["aws:*", "ibm:*", "qiskit:aer"]',
        "WARM_TARGETS": "[]",
        "AWS_DEVICES": json.dumps({"forte": FORTE}),
        "AWS_ENDPOINT_URL": f"{url}/braket",
        "AWS_S3_ENDPOINT_URL": f"{url}/s3",
        "AWS_RESULTS_BUCKET": "amazon-braket-emulated",
        "IBM_BACKENDS": '["ibm_manila"]',
        "IBM_API": "jobs",
        "IBM_URL": f"{url}/ibm/v1" if identity == "tag" else f"{url}/anonymous/v1",
        "IBM_IDENTITY": identity,
        "POLL_SECONDS": "0.2",
        "POLL_MOST_SECONDS": "1",
        "SEARCH_SECONDS": "0.5",
        "QUARANTINE_SECONDS": str(quarantine),
        "RECONCILE_SECONDS": "20",
        "CALL_SECONDS": "5",
        "CALL_RATES": '{"aws:*": 2000}',
        "CREATE_RATES": '{"aws:*": 500}',
        "BREAKER_OPEN_SECONDS": "5",
        "BREAKER_LONGEST_SECONDS": "20",
    }
    amazon = {
        "AWS_ACCESS_KEY_ID": "AKIDEMULATED",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    return amazon | {f"QUIRE_QUANTUM_GATEWAY_{name}": value for name, value in settings.items()}

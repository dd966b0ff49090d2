"""Emulated clouds for tests, as an emulator's configuration says them: devices with one habit each."""

from typing import Final

ARNS: Final = {
    "garnet": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "forte": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1",
    "sv1": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "slow": "arn:aws:braket:eu-north-1::device/qpu/iqm/Slow",
    "dear": "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear",
    "away": "arn:aws:braket:eu-north-1::device/qpu/iqm/Away",
}
"""Of the devices of `AMAZON`."""

AMAZON: Final = f"""
[[devices]]
name = "Garnet"
arn = "{ARNS["garnet"]}"
provider = "IQM"
layout = "grid"
qubits = 20
max_shots = 20000
task_price = 0.3
shot_price = 0.00145

[[devices]]
name = "Forte-1"
arn = "{ARNS["forte"]}"
provider = "IonQ"
qubits = 36
counts_only = true

[[devices]]
name = "SV1"
arn = "{ARNS["sv1"]}"
provider = "Amazon Braket"
simulator = true
qubits = 34

[[devices]]
name = "Slow"
arn = "{ARNS["slow"]}"
provider = "IQM"
qubits = 4
wait = [3600.0, 3600.0]

[[devices]]
name = "Dear"
arn = "{ARNS["dear"]}"
provider = "IQM"
qubits = 4
task_price = 100.0

[[devices]]
name = "Away"
arn = "{ARNS["away"]}"
provider = "IQM"
qubits = 4
maintenance = [{{ after = 0.0, lasts = 1e9 }}]

[[spending_limits]]
device = "{ARNS["dear"]}"
amount = 150.0
"""
"""Devices of the Braket API: three as Amazon has them, one that nobody outwaits, a dear one with a limit, one away."""

IBM: Final = """
[[devices]]
name = "ibm_manila"
api = "jobs"
model = "manila"
qubits = 5

[[devices]]
name = "ibm_slow"
api = "jobs"
model = "manila"
qubits = 5
wait = [3600.0, 3600.0]
"""
"""Devices of the jobs API: a quick one, and one that nobody outwaits."""

NOBODY: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEMULATED",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}
"""An environment for Amazon's library: credentials that are none, and nothing of this machine's."""

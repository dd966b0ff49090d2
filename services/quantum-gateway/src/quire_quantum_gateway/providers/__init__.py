"""How providers are spoken to: one port, one adapter for each SDK, each of which can be the only one installed.

port              what the gateway asks of a provider
faults            foreign exceptions as fault classes, by a table for each adapter
local_jobs        jobs that run in this process, for simulators
qiskit_provider   Qiskit: AerSimulator, noisy stand-ins for hardware, any BackendV2
braket_provider   Amazon Braket: its local simulators

The SDKs themselves are imported only by `qiskit_machines`, `qiskit_runs` and `braket_local`, on first use.
"""

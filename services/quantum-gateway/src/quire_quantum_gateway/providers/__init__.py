"""How providers are spoken to: one port, one adapter for each SDK, each of which can be the only one installed.

port              what the gateway asks of a provider
faults            foreign exceptions as fault classes, by a table for each adapter
bounded           hard limits for calls of SDKs

local_jobs        jobs that run in this process, for simulators
qiskit_provider   Qiskit: AerSimulator, noisy stand-ins for hardware, any BackendV2
braket_provider   Amazon Braket: its local simulators

aws_provider      Amazon Braket's service, by the SDK's own device and session; identity by token
ibm_provider      IBM Quantum by qiskit-ibm-runtime, and clouds with such an API by a small client; identity by tag

The SDKs themselves are imported only by `qiskit_machines`, `qiskit_compiled`, `qiskit_runs`, `braket_local`,
`braket_sets`, `aws_session`, `ibm_rest` and `ibm_runtime`, and what these alone import, on first use.
"""

"""A quantum cloud on loopback: paid jobs, a ledger on disk and programmable faults.

It stands for providers that nobody can test against: a Braket API (a token makes a submission idempotent), a jobs API
like Qiskit Runtime's (tags find a submission again), and the same without tags. It runs circuits for real.
"""

"""The ledger: follows the log into SQL, can be dropped and rebuilt from it, and answers questions about jobs.

The law of this service: its projections are a function of the *set* of events that it has seen. Every change is a
statement that may be made twice and in any order (`projection`), so redelivery, two replicas during a rolling update,
and catching up beside the live log all end in the same rows.
"""

"""The language the services share: messages, registry, topology and job documents.

Contract law, in short (ARCHITECTURE.md has it whole): a message is a frozen Struct; within a version only fields with
defaults are added, anything else is a new class, type and subject; ids are deterministic for each attempt; nothing
above 256 KiB travels in a message; units stand in names; times are UTC; the right-most bit is qubit 0.
"""

"""The environment of `python -m quire_bus.provision`; a service's own settings are its own."""

from __future__ import annotations

import os

from quire_bus.connection import BusSettings


def provision_settings() -> tuple[BusSettings, int]:
    """How to reach the broker, and how many copies of every stream to keep.

    QUIRE_NATS_URL (default nats://127.0.0.1:4222), QUIRE_NATS_NKEY_SEED_FILE, QUIRE_NATS_TLS_CA_FILE and
    QUIRE_NATS_REPLICAS (default 1).

    Raises:
        ValueError: if the replicas are no number.
    """
    settings = BusSettings(
        url=os.environ.get("QUIRE_NATS_URL", "nats://127.0.0.1:4222"),
        name="provision",
        nkeys_seed=os.environ.get("QUIRE_NATS_NKEY_SEED_FILE") or None,
        tls_ca=os.environ.get("QUIRE_NATS_TLS_CA_FILE") or None,
    )
    return settings, int(os.environ.get("QUIRE_NATS_REPLICAS", "1"))

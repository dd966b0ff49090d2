"""The harness's ports are its own while what listens there is down."""

from __future__ import annotations

import socket

import pytest
from ports import first_outgoing, free_port


def test_no_port_comes_twice_nor_is_one_that_the_kernel_gives_away():
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < max(first_outgoing(), 20_000)


def test_what_somebody_listens_on_is_passed_over(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("ports._PORTS", iter([port, free := free_port()]))
        assert free_port() == free
        with pytest.raises(RuntimeError, match="no port left"):
            free_port()

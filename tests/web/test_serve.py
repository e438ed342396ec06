"""The command `tcalc serve`."""

from __future__ import annotations

import socket
import sys

import pytest
from serving import served


def test_a_port_in_use_is_told(run):
    pytest.importorskip("uvicorn")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = run("serve", "--port", str(taken.getsockname()[1]))
    assert outcome.status == 1
    assert "cannot listen on 127.0.0.1" in outcome.err
    assert "--port 0" in outcome.err


def test_an_address_of_another_machine_is_told(run):
    pytest.importorskip("uvicorn")
    for host in ("192.0.2.1", "a" * 300):
        outcome = run("serve", "--host", host, "--port", "0")
        assert outcome.status == 1
        assert f"argument error: cannot listen on {host}" in outcome.err


def test_without_the_extra_it_says_what_to_install(run, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tcalc.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    outcome = run("serve")
    assert outcome.status == 1
    assert "uvicorn" in outcome.err
    assert "pip install 'tcalc[web]'" in outcome.err


def test_wrong_ports_are_wrong_usage(run):
    assert run("serve", "--port", "70000").status == 2


def test_it_starts_and_ends(client):
    pytest.importorskip("uvicorn")
    with served(["--workers", "1"]) as address:
        import httpx

        assert httpx.get(address).status_code == 200

"""Worlds side by side get addresses of their own, and ports in use are walked around."""

from __future__ import annotations

import random
import socket

import pytest

from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.host import Tier
from runbook_tui.demo.network import HOSTS, take_network


def first_choice(seed: int) -> str:
    """Give the addresses that a seed leads to first."""
    chance = random.Random(seed)
    return f"127.{chance.randint(64, 254)}.{chance.randint(0, 254)}"


def test_two_worlds_never_share() -> None:
    """With the same luck the second world gets other addresses, until the first lets go."""
    first = take_network(Tier.PLAIN, seed=7)
    second = take_network(Tier.PLAIN, seed=7)
    assert first.prefix == first_choice(7) != second.prefix
    first.release()
    second.release()
    third = take_network(Tier.PLAIN, seed=7)
    assert third.prefix == first.prefix
    third.release()


def test_a_port_in_use_leads_elsewhere() -> None:
    """One port that somebody listens on makes the addresses unfit."""
    with socket.socket() as taken:
        taken.bind((f"{first_choice(8)}.{HOSTS['new']}", 10025))
        taken.listen()
        network = take_network(Tier.PLAIN, seed=8)
    assert network.prefix != first_choice(8)
    network.release()


def test_a_port_in_use_everywhere_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no addresses are left, the error names the ports that are needed."""
    monkeypatch.setattr("runbook_tui.demo.network._TRIES", 2)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("runbook_tui.demo.network.PLAIN_PORTS", {25: port})
        with pytest.raises(RehearsalError, match="no free addresses") as caught:
            take_network(Tier.PLAIN, seed=9)
    assert str(port) in caught.value.hint
    assert "Address already in use" in caught.value.detail


def test_namespaces_need_no_search() -> None:
    """In namespaces all ports are free, and the addresses are always the same."""
    assert take_network(Tier.NS).address(11) == "127.86.0.11"

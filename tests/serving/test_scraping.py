"""The address where a process serves what it has counted."""

import socket
import threading

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from serving.scraping import scraped
from tests.postgres import free_port
from tests.scrapes import scrape


def test_it_serves_what_was_counted_and_ends_with_the_block() -> None:
    registry, address = CollectorRegistry(), f"127.0.0.1:{free_port()}"
    counter = Counter("happenings", "Things that happened.", registry=registry)
    before = set(threading.enumerate())
    with scraped(registry, address):
        assert scrape(address)("happenings_total") == 0
        counter.inc(3)
        assert scrape(address)("happenings_total") == 3
    with pytest.raises(httpx.ConnectError):
        scrape(address)
    assert set(threading.enumerate()) <= before
    with scraped(registry, address):  # the port is free again
        assert scrape(address)("happenings_total") == 3


def test_without_an_address_nothing_is_served() -> None:
    before = set(threading.enumerate())
    with scraped(CollectorRegistry(), None):
        assert set(threading.enumerate()) <= before


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(OSError, match=f"cannot serve metrics on {address}"),
            scraped(CollectorRegistry(), address),
        ):
            pass


def test_two_cannot_share_a_port() -> None:
    address = f"127.0.0.1:{free_port()}"
    with (
        scraped(CollectorRegistry(), address),
        pytest.raises(OSError, match="is the port free"),
        scraped(CollectorRegistry(), address),
    ):
        pass


@pytest.mark.parametrize("address", ["9100", "127.0.0.1:", "127.0.0.1:web", "127.0.0.1:99999", "no host:1"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    with (
        pytest.raises(OSError, match=f"cannot serve metrics on {address}: is it HOST:PORT"),
        scraped(CollectorRegistry(), address),
    ):
        pass


def test_an_address_of_version_6_serves_too() -> None:
    registry = CollectorRegistry()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        address = f"[::1]:{listener.getsockname()[1]}"
    with scraped(registry, address):
        assert scrape(address).samples == {}

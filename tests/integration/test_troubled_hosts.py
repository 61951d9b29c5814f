"""The hosts that the tests of host limits use do what they say."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
import requests

from imgproc.embedded.ports import LOOPBACK
from tests.support.hosts.dead_addresses import black_hole, refusing_address
from tests.support.hosts.host_troubles import Away, hangs, most_at_once, one_broken, resets, silent, slow
from tests.support.hosts.rate_limits import (
    FixedWindow,
    Meter,
    Queue,
    RateLimit,
    SlidingWindow,
    TokenBucket,
    rate_limit_fields,
    retry_after,
    retry_after_date,
)
from tests.support.hosts.replies import Reply, Rule, always
from tests.support.hosts.troubled_host import TroubledHost, troubled_host
from tests.support.processes import wait_until

BODY = always(b"picture!")


@pytest.mark.parametrize(
    ("meter", "moments", "allowed"),
    [
        (FixedWindow(2), [0.8, 0.9, 0.95, 1.0, 1.1, 1.2], [1, 1, 0, 1, 1, 0]),
        (SlidingWindow(2), [0.8, 0.9, 1.0, 1.85, 1.89, 1.95], [1, 1, 0, 1, 0, 1]),
        (TokenBucket(2), [1.0, 1.1, 1.5, 1.6, 3.0, 3.1], [1, 0, 1, 0, 1, 0]),
        (TokenBucket(2, burst=2), [1.0, 1.0, 1.0, 9.0, 9.0, 9.0], [1, 1, 0, 1, 1, 0]),
    ],
)
def test_a_meter_allows_so_many(meter: Meter, moments: list[float], allowed: list[int]) -> None:
    """Each kind of limit, at given moments."""
    assert [int(not meter.wait(moment)) for moment in moments] == allowed


def test_a_refusal_tells_when_to_come_back() -> None:
    """In each form that hosts use."""
    for tell, name, bound in ((retry_after, "Retry-After", 8), (rate_limit_fields, "RateLimit-Reset", 8)):
        with troubled_host(BODY, rules=[RateLimit(FixedWindow(1, window=8), tell=tell)]) as host:
            answers = [requests.get(host.url, timeout=5) for _ in range(3)]
            assert answers[-1].status_code == 429
            assert 1 <= int(answers[-1].headers[name]) <= bound
    with troubled_host(BODY, rules=[RateLimit(SlidingWindow(1, window=9), status=503, tell=retry_after_date)]) as host:
        first, second = (requests.get(host.url, timeout=5) for _ in range(2))
    assert (first.status_code, second.status_code, first.content) == (200, 503, b"picture!")
    assert parsedate_to_datetime(second.headers["Retry-After"]) < datetime.now(timezone.utc) + timedelta(seconds=11)


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"rules": [most_at_once(2)]}, {200: 2, 503: 3}),
        ({"most_connections": 2}, {200: 2, 0: 3}),
        ({"most_connections": 2, "refuses_more": True}, {200: 2, 0: 3}),
    ],
)
def test_a_host_allows_so_many_at_once(options: dict[str, object], counts: dict[int, int]) -> None:
    """Further visitors are answered 503, reset or refused."""
    with troubled_host(BODY, latency=0.6, **options) as host, ThreadPoolExecutor(5) as threads:
        statuses = list(threads.map(_status, [host.url] * 5))
        assert {status: statuses.count(status) for status in set(statuses)} == counts
        assert len(host.log.served) == 2
        wait_until(lambda: _status(host.url) == 200)  # they hung up


def test_a_host_stops_while_visitors_wait() -> None:
    """It closes their connections."""
    with ThreadPoolExecutor(8) as threads:
        with troubled_host(BODY, rules=[silent]) as host:
            statuses = [threads.submit(_status, host.url, seconds=60) for _ in range(8)]
            while len(host.log.lines) < 8:
                time.sleep(0.01)
        assert [status.result() for status in statuses] == [0] * 8


@pytest.mark.parametrize("rule", [silent, hangs, resets])
def test_a_host_spoils_each_answer(rule: Rule) -> None:
    """The visitor gets no whole body."""
    with troubled_host(BODY, rules=[rule]) as host:
        assert _status(host.url) == 0
        assert (len(host.log.lines), host.log.statuses[0]) == (1, 1)


def _refuse(host: TroubledHost) -> None:
    host.away_for(0.3)


def _answer_503(host: TroubledHost) -> None:
    host.rules = [Away(after=0, seconds=0.3)]


@pytest.mark.parametrize(("leave", "status"), [(_refuse, 0), (_answer_503, 503)])
def test_a_host_is_away_and_comes_back(leave: Callable[[TroubledHost], None], status: int) -> None:
    """It refuses connections, or its proxy answers for it; then it serves again under the same address."""
    with troubled_host(BODY) as host:
        leave(host)
        assert _status(host.url) == status
        deadline = time.monotonic() + 10
        while _status(host.url) != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert host.log.served


def test_a_host_lets_some_wait() -> None:
    """The others are refused at once."""
    with troubled_host(BODY, rules=[Queue(5, length=2)]) as host, ThreadPoolExecutor(5) as threads:
        assert sorted(threads.map(_status, [host.url] * 5)) == [200, 200, 200, 503, 503]
        assert host.log.most_at_once > 1


def test_one_url_is_broken() -> None:
    """Its neighbours are served."""
    with troubled_host(BODY, rules=[one_broken("/7.jpg"), slow(0.01)]) as host:
        assert [_status(f"{host.url}/{number}.jpg") for number in (6, 7, 8)] == [200, 503, 200]
        assert host.log.statuses == {200: 2, 503: 1}
        assert [count for count, _, _ in host.log.by_second()] == [3]
        assert host.log.paths["/7.jpg"] == 1


def test_one_host_answers_under_many_addresses() -> None:
    """A host on every loopback address is many hosts to a visitor, all with one log."""
    with troubled_host(lambda _asked: Reply(body=b"x"), address="0.0.0.0") as host:
        assert [_status(host.url_of(number)) for number in range(3)] == [200, 200, 200]
        assert len({line.host for line in host.log.lines}) == 3


def test_nothing_answers() -> None:
    """One address refuses connections, the other drops their packets."""
    with refusing_address() as url, pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(url, timeout=5)
    with black_hole() as url, pytest.raises(requests.ConnectTimeout):
        requests.get(url, timeout=0.3)


def _status(url: str, *, seconds: float = 1.0) -> int:
    """The status of an answer; 0 without a whole one in time."""
    try:
        return requests.get(url, timeout=seconds).status_code
    except requests.RequestException:
        return 0


def test_a_host_that_goes_away_closes_what_it_has_just_accepted() -> None:
    """A connection that nothing closes is a warning, and fails a test that runs much later."""
    with troubled_host(BODY) as host, ExitStack() as visitors:
        for _ in range(100):
            visitor = visitors.enter_context(socket.create_connection((LOOPBACK, host.port)))
            host.go_away()
            visitor.settimeout(5)
            with suppress(ConnectionResetError):
                assert visitor.recv(1) == b""
            host.come_back()
    gc.collect()


def test_a_host_comes_back_while_another_process_has_a_copy_of_its_listener() -> None:
    """As a process has that was forked, and has not yet called exec."""
    with troubled_host(BODY) as host:
        assert host._listener is not None
        with host._listener.dup():
            host.go_away()
            host.come_back()
            assert requests.get(host.url, timeout=5).content == b"picture!"

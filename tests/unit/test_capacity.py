"""The default number of streams per process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import AsyncRequestFactory, RequestFactory

from monitio.contrib.gunicorn import post_worker_init
from monitio.stream import capacity


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    capacity.reserve(0)


def default(request: Any = None, behind_endpoint: bool = False) -> int:
    wsgi = RequestFactory().get("/", SERVER_SOFTWARE="gunicorn")
    return capacity.default(request or wsgi, behind_endpoint=behind_endpoint)


def test_threads_hold_none() -> None:
    assert default() == 0


@pytest.mark.parametrize(
    ("name", "function"),
    [("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")],
)
def test_greenlets_hold_hundreds(name: str, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**{function: lambda module: False}))
    assert default() == 0, "imported, but nothing is patched"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**{function: lambda module: True}))
    assert default() == 500


def test_runserver_starts_a_thread_for_each() -> None:
    assert default(RequestFactory().get("/", SERVER_SOFTWARE="WSGIServer/0.2")) == 100


def test_event_loops_hold_a_thousand_and_the_endpoint_more() -> None:
    request = AsyncRequestFactory().get("/")
    assert (default(request), default(request, behind_endpoint=True)) == (1000, 10_000)


@pytest.mark.parametrize(("threads", "streams"), [(1, 0), (2, 0), (3, 1), (4, 2), (16, 12)])
def test_some_threads_stay_for_pages(threads: int, streams: int) -> None:
    assert capacity.reserve(threads) == default() == streams


@pytest.mark.parametrize(("worker", "streams"), [("gthread", 6), ("sync", 0), ("uvicorn", 0)])
def test_the_hook_of_gunicorn_takes_its_threads(worker: str, streams: int) -> None:
    post_worker_init(SimpleNamespace(cfg=SimpleNamespace(worker_class_str=worker, threads=8)))
    assert default() == streams

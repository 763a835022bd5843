"""Requests that open streams share a few threads and run the whole middleware in one call."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings
from django.utils.decorators import async_only_middleware, sync_only_middleware

from monitio.stream import requests
from monitio.stream.threads import REQUEST_THREADS


async def no_body() -> dict[str, Any]:
    return {"type": "http.request"}


class TestRequests:
    PATH = "/messages/stream/"

    @pytest.fixture(autouse=True)
    def _paths(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(requests, "stream_paths", lambda: {self.PATH})

    async def handle(self, path: str, log: list[tuple[int, int]], number: int) -> None:
        """A request in two steps, each of which logs its thread."""

        async def django(scope: Any, receive: Any, send: Any) -> None:
            async with ThreadSensitiveContext():
                for _ in range(2):
                    log.append((number, await sync_to_async(threading.get_ident)()))
                    await asyncio.sleep(0)

        await requests.handle(django, {"path": path}, no_body, None)

    def answer(self, path: str) -> list[tuple[int, int]]:
        async def main() -> list[tuple[int, int]]:
            log: list[tuple[int, int]] = []
            await asyncio.gather(*(self.handle(path, log, number) for number in range(20)))
            return log

        return asyncio.run(main())

    def test_those_for_streams_share_a_few_threads(self) -> None:
        log = self.answer(self.PATH)
        assert len({thread for _, thread in log}) == REQUEST_THREADS

    def test_no_two_share_a_thread_at_once(self) -> None:
        """Otherwise a middleware could leave its tenant on the connection of another request."""
        log = self.answer(self.PATH)
        for thread in {thread for _, thread in log}:
            numbers = [number for number, where in log if where == thread]
            assert numbers[::2] == numbers[1::2]

    def test_a_client_that_does_not_end_its_body_holds_no_thread(self) -> None:
        served: list[bytes] = []

        async def django(scope: Any, receive: Any, send: Any) -> None:
            body = b""
            while (event := await receive()).get("more_body"):
                body += event["body"]
            served.append(body + event.get("body", b""))

        async def main() -> None:
            rest, held = asyncio.Event(), asyncio.Semaphore(0)

            async def slow(parts: list[dict[str, Any]]) -> Any:
                if len(parts) == 1:
                    held.release()
                    await rest.wait()
                return parts.pop(0)

            def begin() -> asyncio.Task[None]:
                parts = [{"body": b"a", "more_body": True}, {"body": b"b"}]
                opened = requests.handle(django, {"path": self.PATH}, lambda: slow(parts), None)
                return asyncio.create_task(opened)

            waiting = [begin() for _ in range(REQUEST_THREADS)]
            for _ in waiting:
                await held.acquire()
            async with asyncio.timeout(10):
                await requests.handle(django, {"path": self.PATH}, no_body, None)
                assert served == [b""]
                rest.set()
                await asyncio.gather(*waiting)

        asyncio.run(main())
        assert served[1:] == [b"ab"] * REQUEST_THREADS

    def test_a_client_that_reads_nothing_holds_no_thread_for_long(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(requests, "SEND_TIMEOUT", 0.01)

        async def django(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start"})

        async def main() -> None:
            async def stuck(event: Any) -> None:
                await asyncio.Event().wait()

            async with asyncio.timeout(10):
                for _ in range(REQUEST_THREADS + 1):
                    with pytest.raises(TimeoutError):
                        await requests.handle(django, {"path": self.PATH}, no_body, stuck)

        asyncio.run(main())

    def test_other_requests_use_djangos_threads(self) -> None:
        assert len({thread for _, thread in self.answer("/other/")}) == 20


def test_paths_are_known_before_the_first_request() -> None:
    requests.stream_paths.cache_clear()
    assert requests.stream_paths() == {"/messages/stream/"}


@pytest.mark.parametrize("urlconf", ["tests.no_such_module", "django.contrib.auth.urls"])
def test_an_unusable_urlconf_is_left_to_django(urlconf: str) -> None:
    with override_settings(ROOT_URLCONF=urlconf):
        assert requests.stream_paths() == set()


def test_a_path_under_a_prefix_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PATHS", 2)
    requests.stream_paths.cache_clear()
    requests.learn_stream_path("/acme/messages/stream/")
    requests.learn_stream_path("/one-too-many/")
    assert requests.stream_paths() == {"/messages/stream/", "/acme/messages/stream/"}
    requests.stream_paths.cache_clear()


@pytest.mark.django_db(transaction=True)
class TestMiddleware:
    """The site's middleware chain responds; each middleware is called once."""

    calls: list[str] = []

    def answer(self, path: str) -> list[dict[str, Any]]:
        self.calls.clear()
        sent: list[dict[str, Any]] = []
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

        async def main() -> None:
            left = asyncio.Event()
            asked: list[bool] = []

            async def receive() -> Any:
                if asked:
                    await left.wait()
                asked.append(True)
                return {"type": "http.request"}

            async def send(event: dict[str, Any]) -> None:
                sent.append(event)

            await requests.handle(ASGIHandler(), scope, receive, send)

        chain = [f"{__name__}.recording_sync", f"{__name__}.recording_async"]
        with override_settings(MIDDLEWARE=chain, ALLOWED_HOSTS=["*"]):
            asyncio.run(main())
        return sent

    @pytest.mark.parametrize("path", ["/messages/stream/", "/elsewhere/"])
    def test_every_part_is_called_in_order(self, path: str) -> None:
        sent = self.answer(path)
        assert sent[0]["status"] in (204, 404)
        assert self.calls == ["sync", "async", "async done", "sync done"]


@sync_only_middleware
def recording_sync(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        TestMiddleware.calls.append("sync")
        response = get_response(request)
        TestMiddleware.calls.append("sync done")
        return response

    return middleware


@async_only_middleware
def recording_async(get_response: Any) -> Any:
    async def middleware(request: Any) -> Any:
        TestMiddleware.calls.append("async")
        response = await get_response(request)
        TestMiddleware.calls.append("async done")
        return response

    return middleware

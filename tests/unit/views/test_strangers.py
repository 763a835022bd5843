"""Strangers (visitors without a session) who only read cause no row, cookie or stream."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, _state
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import AsyncClient, Client, RequestFactory
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

import monitio
from monitio import recipients
from monitio.exceptions import UnknownRecipient
from monitio.models import Job, Message
from monitio.recipients import Recipient, update_marker
from monitio_celery import notify_user
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "{% load monitio %}{% monitio_bell %}{% monitio %}"
FORM = "{% csrf_token %}" + PAGE
COOKIE = "monitio_visitor"

app = Celery("strangers", broker="memory://", set_as_current=False)


@pytest.fixture(autouse=True)
def _current_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the app current in every thread, whatever app other tests have left."""
    monkeypatch.setattr(_state, "default_app", app)
    monkeypatch.setattr(_state._tls, "current_app", None)


@app.task
@notify_user
def notified() -> None: ...


@app.task
def unnotified() -> None: ...


def render(source: str) -> Any:
    return lambda request: HttpResponse(engines["django"].from_string(source).render({}, request))


@csrf_exempt
def start(request: HttpRequest) -> HttpResponse:
    notified.delay()
    return HttpResponse("started")


def start_unnotified(request: HttpRequest) -> HttpResponse:
    unnotified.delay()
    return HttpResponse("started")


async def start_async(request: HttpRequest) -> HttpResponse:
    notified.delay()
    return HttpResponse("started")


def write(request: HttpRequest) -> HttpResponse:
    monitio.create_message(Recipient.from_request(request), monitio.INFO, "written")
    return HttpResponse("written")


def flash(request: HttpRequest) -> HttpResponse:
    monitio.add_message(request, messages.INFO, "text", subject="subject", live=True)
    return HttpResponse("added")


def fail(request: HttpRequest) -> HttpResponse:
    Recipient.from_request(request)
    return HttpResponse(status=500)


def log_in(request: HttpRequest) -> HttpResponse:
    login(request, user())
    return HttpResponse()


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


urlpatterns = [
    path("page/", render(PAGE)),
    path("form/", render(FORM)),
    path("shown/", render("{% for m in messages %}<b>{{ m }}</b>{% endfor %}")),
    path("start/", start),
    path("unnotified/", start_unnotified),
    path("async/", start_async),
    path("write/", write),
    path("flash/", flash),
    path("fail/", fail),
    path("in/", log_in),
    path("out/", log_out),
    path("messages/", include("monitio.urls")),
]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    cache.clear()


class TestACrawler:
    def test_50_visits_leave_no_row_and_no_cookie(self) -> None:
        for number in range(50):
            crawler = Client()
            response: Any = crawler.get("/page/", {"number": number})
            assert not response.cookies and not crawler.cookies
        assert not Session.objects.exists()

    @pytest.mark.parametrize("address", ["/messages/", "/messages/json/", "/messages/stream/"])
    def test_what_a_page_links_to_costs_nothing_either(self, address: str) -> None:
        response: Any = Client().get(address)
        assert not response.cookies and not Session.objects.exists()

    def test_its_stream_ends_for_good(self) -> None:
        response: Any = Client().get("/messages/stream/", {"page": recipients.page_token(None)})
        assert response.status_code == 204

    def test_a_task_that_notifies_no_user_makes_no_visitor(self) -> None:
        response: Any = Client().get("/unnotified/")
        assert not response.cookies and not Session.objects.exists()

    def test_the_page_costs_no_query(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            Client().get("/page/")

    def test_a_flash_message_sets_its_own_cookie_alone(self, settings: Any) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Flash"]
        response: Any = Client().get("/page/")
        assert "text" in response.content.decode()
        assert set(response.cookies) <= {"messages"}


class Flash:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        messages.info(request, "text")
        return self.get_response(request)


class TestACache:
    @pytest.fixture(autouse=True)
    def _cached(self, settings: Any) -> None:
        settings.MIDDLEWARE = [
            "django.middleware.cache.UpdateCacheMiddleware",
            *settings.MIDDLEWARE,
            "django.middleware.cache.FetchFromCacheMiddleware",
        ]

    def hits(self, response: Any) -> bool:
        return not response.wsgi_request._cache_update_cache

    def test_strangers_share_a_page(self) -> None:
        first, second = Client().get("/page/"), Client().get("/page/")
        assert self.hits(second) and not self.hits(first)
        assert second.content == first.content

    def test_a_user_never_gets_a_strangers_page(self) -> None:
        Client().get("/page/")
        ann = Client()
        ann.force_login(user())
        assert "visitor-cookie" not in ann.get("/page/").content.decode()

    def test_a_stranger_never_gets_a_users_or_a_visitors_page(self) -> None:
        ann, visitor = Client(), Client()
        ann.force_login(user())
        visitor.get("/write/")
        for client in (ann, visitor):
            client.get("/page/")
        page = Client().get("/page/").content.decode()
        assert "visitor-cookie" in page and "written" not in page


WAYS = ["/start/", "/write/", "/flash/"]


class TestBecomingAVisitor:
    @pytest.mark.parametrize("address", WAYS)
    def test_the_token_is_created_when_a_message_is_written(self, address: str) -> None:
        client = Client()
        client.get("/page/")
        client.get(address)
        assert Session.objects.count() == 1
        message = Message.objects.get()
        snapshot = client.get("/messages/json/", {"page": recipients.page_token(None)}).json()
        assert [one["id"] for one in snapshot["messages"]] == [message.pk]
        assert "visitor-cookie" not in client.get("/page/").content.decode()

    @pytest.mark.parametrize("address", WAYS)
    def test_a_cookie_that_scripts_can_read_holds_no_secret(
        self, address: str, settings: Any
    ) -> None:
        settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_SAMESITE = "/site", "Strict"
        settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_DOMAIN = True, "example.com"
        morsel = Client().get(address).cookies[COOKIE]
        assert morsel.value == "1"
        assert not morsel["httponly"]
        names = ("path", "samesite", "secure", "domain")
        assert [morsel[name] for name in names] == ["/site", "Strict", True, "example.com"]
        assert morsel["max-age"] == 14 * 24 * 60 * 60

    def test_it_ends_with_the_browser_when_the_session_does(self, settings: Any) -> None:
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
        assert Client().get("/write/").cookies[COOKIE]["max-age"] == ""

    def test_two_sites_on_one_host_have_two_cookies(self, settings: Any) -> None:
        settings.SESSION_COOKIE_NAME = "shop"
        client = Client()
        assert f"{COOKIE}_shop" in client.get("/write/").cookies

    def test_it_is_set_once(self) -> None:
        client = Client()
        client.get("/write/")
        assert COOKIE not in client.get("/write/").cookies

    @pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "signed_cookies"])
    def test_every_engine_keeps_the_token(self, engine: str, settings: Any, tmp_path: Path) -> None:
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        settings.SESSION_FILE_PATH = str(tmp_path)
        client = Client()
        assert COOKIE in client.get("/write/").cookies
        assert "written" in client.get("/page/").content.decode()
        assert client.get("/out/").cookies[COOKIE]["max-age"] == 0
        assert "visitor-cookie" in client.get("/page/").content.decode()

    @pytest.mark.parametrize("missing", ["storage", "middleware"])
    def test_the_storage_or_the_middleware_sets_it(self, missing: str, settings: Any) -> None:
        if missing == "storage":
            settings.MESSAGE_STORAGE = "django.contrib.messages.storage.fallback.FallbackStorage"
        else:
            settings.MIDDLEWARE = settings.MIDDLEWARE[:-1]
        assert COOKIE in Client().get("/write/").cookies

    def test_an_async_view_sets_it(self) -> None:
        client = AsyncClient()
        response: Any = asyncio.run(client.get("/async/"))
        assert COOKIE in response.cookies
        assert Job.objects.exists()

    def test_a_response_that_saves_no_session_sets_none(self) -> None:
        client = Client(raise_request_exception=False)
        assert not client.get("/fail/").cookies

    def test_parallel_first_requests_from_a_form_agree(self) -> None:
        form = Client()
        form.get("/form/")
        tokens = set()
        for _ in range(2):
            # Sent before the other's response, so with the page's cookies only.
            one = Client()
            one.cookies["csrftoken"] = form.cookies["csrftoken"].value
            one.get("/start/")
            tokens.add(one.session[recipients.SESSION_KEY]["token"])
        assert len(tokens) == 1
        assert Session.objects.count() == 2

    @pytest.mark.parametrize("other", ["cookie", "address", "proxied", "intranet", "minute"])
    def test_the_token_is_another_for_another_browser_place_or_time(
        self, other: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = [RequestFactory().get("/", REMOTE_ADDR="8.8.4.4") for _ in range(2)]
        for request in requests:
            request.COOKIES["csrftoken"] = "a" * 32
        if other == "cookie":
            requests[1].COOKIES["csrftoken"] = "b" * 32
        elif other == "address":
            requests[1].META["REMOTE_ADDR"] = "8.8.8.8"
        elif other == "proxied":
            for number, request in enumerate(requests):
                request.META["REMOTE_ADDR"] = "10.0.0.1"
                request.META["HTTP_X_FORWARDED_FOR"] = f"8.8.8.{number}, 10.0.0.7"
        elif other == "intranet":
            for number, request in enumerate(requests):
                request.META["REMOTE_ADDR"] = f"10.0.0.{number}"
        token = self.create_token(requests[0])
        if other == "minute":
            later = time.time() + 60
            monkeypatch.setattr("monitio.recipients.time.time", lambda: later)
        assert self.create_token(requests[1]) != token

    def create_token(self, request: HttpRequest) -> str | None:
        SessionMiddleware(lambda _request: HttpResponse()).process_request(request)
        return Recipient.from_request(request).token


class TestTheCookieIsRemoved:
    @pytest.fixture
    def visitor(self) -> Client:
        client = Client()
        client.get("/write/")
        return client

    def is_removed(self, response: Any) -> bool:
        return bool(response.cookies[COOKIE]["max-age"] == 0)

    @pytest.mark.parametrize("address", ["/in/", "/out/"])
    def test_at_log_in_and_log_out(self, visitor: Client, address: str) -> None:
        assert self.is_removed(visitor.get(address))

    @pytest.mark.parametrize("address", ["/messages/stream/", "/messages/json/", "/page/"])
    def test_when_the_session_is_gone(self, visitor: Client, address: str) -> None:
        Session.objects.all().delete()
        assert self.is_removed(visitor.get(address, {"page": recipients.page_token(None)}))

    def test_when_the_token_has_expired(
        self, visitor: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        later = time.time() + 15 * 24 * 60 * 60
        monkeypatch.setattr("monitio.recipients.time.time", lambda: later)
        assert self.is_removed(visitor.get("/page/"))

    def test_when_visitors_are_turned_off(self, visitor: Client, settings: Any) -> None:
        settings.MONITIO_VISITORS = False
        assert self.is_removed(visitor.get("/page/"))

    def test_a_response_that_reads_no_session_is_not_changed(self, visitor: Client) -> None:
        request = RequestFactory().get("/")
        request.COOKIES[COOKIE] = "1"
        request.session = type(visitor.session)("x" * 32)
        response = HttpResponse()
        update_marker(request, response)
        assert not response.cookies and not request.session.accessed


class TestWithoutVisitors:
    @pytest.fixture(autouse=True)
    def _off(self, settings: Any) -> None:
        settings.MONITIO_VISITORS = False

    def test_a_task_notifies_no_stranger(self) -> None:
        response: Any = Client().get("/start/")
        assert response.content == b"started" and not response.cookies
        assert not Message.objects.exists() and not Session.objects.exists()

    def test_writing_to_a_stranger_raises_an_error_with_the_fix(self) -> None:
        with pytest.raises(UnknownRecipient, match="MONITIO_VISITORS is False"):
            Client().get("/write/")

    def test_a_flash_message_goes_to_the_next_page_in_a_cookie(self) -> None:
        client = Client()
        assert set(client.get("/flash/").cookies) == {"messages"}
        assert "<b>text</b>" in client.get("/shown/").content.decode()
        assert not Message.objects.exists() and not Session.objects.exists()

    def test_an_old_token_opens_no_stream(self, settings: Any) -> None:
        settings.MONITIO_VISITORS = True
        client = Client()
        client.get("/write/")
        settings.MONITIO_VISITORS = False
        response: Any = client.get("/messages/stream/", {"page": recipients.page_token(None)})
        assert response.status_code == 204

    def test_users_are_notified_as_before(self) -> None:
        client = Client()
        client.force_login(user())
        client.get("/start/")
        assert Message.objects.get().user == user()

"""MONITIO_AUTHENTICATION: clients with tokens, sessions, and forged requests."""

from __future__ import annotations

import sys
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from monitio import INFO, create_message
from monitio.models import Message
from monitio.recipients import Recipient, page_token
from monitio.stream.identity import Identity, SiteUnavailable
from monitio.testing import capture_events
from monitio.utils import authentication
from tests.unit.test_docs_code import ROOT, blocks

pytestmark = pytest.mark.django_db
HERE = "tests.unit.views.test_authentication"
JSON = reverse("message_json")
STREAM = reverse("message_stream")
# Token -> user name.
tokens: dict[str, str] = {}
asked: list[HttpRequest] = []


def by_token(request: HttpRequest) -> Any:
    asked.append(request)
    name = tokens.get(request.headers.get("Authorization", "").rpartition(" ")[2])
    return name and get_user_model()._default_manager.filter(username=name).first()


def by_session(request: HttpRequest) -> Any:
    """A wrong function: it takes the user from the session."""
    return getattr(request, "user", None) or getattr(request, "session", {}).get("_auth_user_id")


def by_key(request: HttpRequest) -> Any:
    """Authenticate by another header than Authorization."""
    return get_user_model()._default_manager.filter(username=request.headers.get("X-Key")).first()


def refuse(request: HttpRequest) -> Any:
    raise PermissionDenied("This token has expired.")


def without_database(request: HttpRequest) -> Any:
    raise OperationalError("the server is gone")


async def later(request: HttpRequest) -> Any: ...


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.MONITIO_AUTHENTICATION = [f"{HERE}.by_token"]
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    tokens.clear()
    tokens.update(anns="ann", bobs="bob")
    asked.clear()


@pytest.fixture
def strict() -> Client:
    """A client without cookies that enforces CSRF checks."""
    return Client(enforce_csrf_checks=True)


def bearer(token: str = "anns", scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}", "Accept": "application/json"}


def texts(response: Any) -> list[str]:
    return [message["body"] for message in response.json()["messages"]]


def mark_read(client: Client, message: int, **headers: str) -> Any:
    return client.post(reverse("message_mark_read", args=[message]), headers=headers)


def is_read() -> bool:
    return Message.objects.get().read


class TestUser:
    def test_a_token_is_its_users(self, strict: Client, ann: Any, bob: Any) -> None:
        create_message(ann, INFO, "For Ann")
        assert texts(strict.get(JSON, headers=bearer())) == ["For Ann"]
        assert texts(strict.get(JSON, headers=bearer("bobs"))) == []

    def test_it_comes_before_the_session(self, browser: Client, ann: Any, bob: Any) -> None:
        create_message(ann, INFO, "For Ann")
        assert texts(browser.get(JSON, headers=bearer("bobs"))) == []

    def test_without_a_token_the_session_decides(self, browser: Client, ann: Any) -> None:
        create_message(ann, INFO, "For Ann")
        assert texts(browser.get(JSON)) == ["For Ann"]

    def test_the_first_function_that_returns_a_user_decides(
        self, strict: Client, ann: Any, settings: Any
    ) -> None:
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.by_key", f"{HERE}.by_token", f"{HERE}.refuse"]
        assert strict.get(JSON, headers=bearer()).status_code == 200

    def test_a_token_of_no_user_is_refused(self, browser: Client) -> None:
        response = browser.get(JSON, headers=bearer("forged"))
        assert response.status_code == 401 and response["WWW-Authenticate"] == "Bearer"
        assert "no-store" in response["Cache-Control"]

    @pytest.mark.parametrize("name", ["message_json", "message_stream", "message_list"])
    def test_a_refusal_is_the_answer_everywhere(
        self, browser: Client, settings: Any, name: str
    ) -> None:
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.refuse"]
        response = browser.get(reverse(name))
        assert (response.status_code, response.json()["error"]) == (401, "This token has expired.")

    def test_an_inactive_user_is_refused(self, strict: Client, ann: Any) -> None:
        ann.is_active = False
        ann.save()
        assert strict.get(JSON, headers=bearer()).status_code == 401

    def test_without_a_database_the_client_must_retry(self, strict: Client, settings: Any) -> None:
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.without_database"]
        assert strict.get(STREAM, headers=bearer()).status_code == 503

    def test_without_the_setting_a_token_means_nothing(
        self, browser: Client, ann: Any, settings: Any
    ) -> None:
        del settings.MONITIO_AUTHENTICATION
        create_message(ann, INFO, "For Ann")
        assert texts(browser.get(JSON, headers=bearer("bobs"))) == ["For Ann"]


class TestNothingOfTheSession:
    def test_the_functions_see_no_cookie(self, browser: Client, bob: Any) -> None:
        browser.get(JSON, headers=bearer("bobs"))
        (request,) = asked
        assert request.COOKIES == {} and "HTTP_COOKIE" not in request.META
        assert not hasattr(request, "user") and not hasattr(request, "session")
        assert not any("csrf" in key.lower() for key in request.META)

    def test_nor_do_they_under_asgi(self, ann: Any, bob: Any) -> None:
        client = AsyncClient()
        client.force_login(ann)
        response = async_to_sync(client.get)(JSON, headers=bearer("bobs"))
        assert response.status_code == 200
        (request,) = asked
        assert request.COOKIES == {} and "HTTP_COOKIE" not in request.META
        assert request.headers["Authorization"] == "Bearer bobs"

    def test_so_none_can_take_the_user_from_the_session(
        self, ann: Any, strict: Client, settings: Any
    ) -> None:
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.by_session"]
        message = create_message(ann, INFO, "For Ann")
        strict.force_login(ann)
        assert mark_read(strict, message.pk, **bearer()).status_code == 401
        assert mark_read(strict, message.pk).status_code == 403
        assert not is_read()

    def test_the_session_stays_as_it_was(self, browser: Client, bob: Any) -> None:
        before = dict(browser.session.items())
        browser.get(JSON, headers=bearer("bobs"))
        assert dict(browser.session.items()) == before

    @pytest.mark.parametrize("path", ["json/", "json/?before=9", ""])
    def test_a_client_with_a_token_gets_no_cookie(
        self, strict: Client, ann: Any, path: str
    ) -> None:
        response = strict.get(reverse("message_list") + path, headers=bearer())
        assert not {"sessionid", "monitio_visitor"} & response.cookies.keys()
        assert "csrftoken" not in response.cookies or not path


class TestForgedRequests:
    def test_a_token_needs_no_csrf_token(self, strict: Client, ann: Any) -> None:
        message = create_message(ann, INFO, "For Ann")
        assert mark_read(strict, message.pk, **bearer()).json()["ok"]
        assert is_read()

    def test_a_session_does(self, strict: Client, ann: Any) -> None:
        message = create_message(ann, INFO, "For Ann")
        strict.force_login(ann)
        assert mark_read(strict, message.pk).status_code == 403
        token = strict.get(JSON).json()["csrf"]
        assert mark_read(strict, message.pk, **{"X-CSRFToken": token}).status_code == 302

    @pytest.mark.parametrize("scheme", ["Basic", "basic", "Negotiate", "NTLM", "Digest"])
    def test_credentials_that_a_browser_sends_by_itself_do(
        self, strict: Client, ann: Any, scheme: str
    ) -> None:
        message = create_message(ann, INFO, "For Ann")
        assert texts(strict.get(JSON, headers=bearer(scheme=scheme))) == ["For Ann"]
        assert mark_read(strict, message.pk, **bearer(scheme=scheme)).status_code == 403
        assert not is_read()

    def test_another_header_does(self, strict: Client, ann: Any, settings: Any) -> None:
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.by_key"]
        message = create_message(ann, INFO, "For Ann")
        assert texts(strict.get(JSON, headers={"X-Key": "ann"})) == ["For Ann"]
        assert mark_read(strict, message.pk, **{"X-Key": "ann"}).status_code == 403

    def test_the_sites_own_middleware_decides(
        self, strict: Client, ann: Any, settings: Any
    ) -> None:
        """A subclass can trust further origins."""
        settings.MIDDLEWARE = [
            f"{HERE}.Trusting" if "Csrf" in path else path for path in settings.MIDDLEWARE
        ]
        message = create_message(ann, INFO, "For Ann")
        strict.force_login(ann)
        assert mark_read(strict, message.pk).status_code == 302

    def test_a_site_without_csrf_middleware_is_protected_too(
        self, strict: Client, ann: Any, settings: Any
    ) -> None:
        settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "Csrf" not in path]
        message = create_message(ann, INFO, "For Ann")
        strict.force_login(ann)
        assert mark_read(strict, message.pk).status_code == 403


class Trusting(CsrfViewMiddleware):
    def process_view(self, *args: Any) -> None:
        return None


class TestPages:
    def test_a_page_of_another_user_changes_nothing(self, ann: Any, bob: Any) -> None:
        message = create_message(ann, INFO, "For Ann")
        page = page_token(Recipient.for_user(bob))
        response = Client().post(
            reverse("message_mark_read", args=[message.pk]), {"page": page}, headers=bearer()
        )
        assert response.status_code == 409 and not is_read()

    def test_a_stream_by_token_needs_no_page(self, strict: Client, ann: Any) -> None:
        assert strict.get(STREAM, headers=bearer()).status_code == 200

    def test_but_not_one_of_another_user(self, strict: Client, ann: Any, bob: Any) -> None:
        page = page_token(Recipient.for_user(bob))
        response = strict.get(STREAM, {"page": page}, headers=bearer())
        assert response.status_code == 204

    @pytest.mark.parametrize("headers", [{}, bearer(scheme="Basic")], ids=["session", "basic"])
    def test_a_stream_of_a_browser_does(
        self, browser: Client, ann: Any, headers: dict[str, str]
    ) -> None:
        assert browser.get(STREAM, headers=headers).status_code == 204


def opened(client: Client, ann: Any) -> Identity:
    response = client.get(STREAM, headers=bearer())
    assert response.status_code == 200
    asked.clear()
    return Identity(response.wsgi_request, Recipient.for_user(ann))


class TestStreams:
    def test_a_recheck_calls_the_function_again(self, strict: Client, ann: Any) -> None:
        identity = opened(strict, ann)
        assert identity.is_valid() and len(asked) == 1
        tokens.clear()
        assert not identity.is_valid()

    def test_a_session_of_the_same_user_does_not_extend_it(self, browser: Client, ann: Any) -> None:
        identity = opened(browser, ann)
        tokens.clear()
        assert not identity.is_valid()

    def test_another_user_of_the_token_ends_it(self, strict: Client, ann: Any, bob: Any) -> None:
        identity = opened(strict, ann)
        tokens["anns"] = "bob"
        assert not identity.is_valid()

    def test_without_a_database_the_user_is_unknown(
        self, strict: Client, ann: Any, settings: Any
    ) -> None:
        identity = opened(strict, ann)
        settings.MONITIO_AUTHENTICATION = [f"{HERE}.without_database"]
        with pytest.raises(SiteUnavailable):
            identity.is_valid()

    def test_an_expired_token_ends_the_stream(self, ann: Any, settings: Any) -> None:
        settings.MONITIO_STREAMS_PER_PROCESS = 1
        settings.MONITIO_STREAM_RECHECK = 0.05
        with capture_events():
            server = Client(**{"wsgi.multithread": True})
            frames = iter(server.get(STREAM, headers=bearer()))
            assert b"retry" in next(frames) and b"snapshot" in next(frames)
            tokens.clear()
            last = b"".join(frames)
        assert b'event: bye\ndata: {"reason":"signed-out"' in last


@pytest.mark.parametrize("path", ["no.where", f"{HERE}.later", f"{HERE}.Trusting", f"{HERE}.JSON"])
def test_an_invalid_function_is_reported(settings: Any, path: str) -> None:
    settings.MONITIO_AUTHENTICATION = [path]
    with pytest.raises(ImproperlyConfigured, match="MONITIO_AUTHENTICATION"):
        authentication.load()


class TestRecipes:
    """The functions of docs/tokens.md."""

    @pytest.mark.parametrize(("file", "name"), [("tokens", "authenticate"), ("bearer", "bearer")])
    def test_a_signed_token_is_its_users_until_it_expires(
        self, ann: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, file: str, name: str
    ) -> None:
        code = dict(blocks("python", ROOT / "docs" / "tokens.md")).values()
        module = ModuleType(f"shop_{file}")
        exec(next(text for text in code if text.startswith(f"# shop/{file}.py\n")), vars(module))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.MONITIO_AUTHENTICATION = [f"shop_{file}.{name}"]
        headers = bearer(signing.dumps(ann.pk, salt="shop.tokens"))
        assert Client().get(JSON, headers=headers).status_code == 200
        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            assert Client().get(JSON, headers=headers).status_code == 401

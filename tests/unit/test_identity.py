"""A stream ends when the site would now identify another user for its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.utils import timezone, translation
from django.utils.decorators import async_only_middleware

from monitio.recipients import Recipient, page_token
from monitio.stream.identity import Identity, SiteUnavailable, unchanged
from tests.support.people import user, visitor_of

HERE = "tests.unit.test_identity"
SESSIONS = ["db", "cache", "cached_db", "file"]
# The user names that passed through the middleware below, in order.
passed: list[str] = []


def impersonate(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware as django-impersonate: the session stays that of the first user."""

    def middleware(request: HttpRequest) -> Any:
        name = request.session.get("be")
        if name and request.user.is_authenticated:
            request.user = get_user_model()._default_manager.get(username=name)
        passed.append(request.user.get_username())
        return get_response(request)

    return middleware


def by_token(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware that takes the user from a header."""

    def middleware(request: HttpRequest) -> Any:
        name = request.headers.get("X-User")
        if name:
            request.user = get_user_model()._default_manager.get(username=name)
        return get_response(request)

    return middleware


class CustomBackend(ModelBackend):
    """A backend with its own rule for users."""

    def get_user(self, user_id: Any) -> Any:
        return super().get_user(user_id)


def refuse(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        status = request.session.get("refused")
        return HttpResponse(status=status) if status else get_response(request)

    return middleware


def activate_polish(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        translation.activate("pl")
        return get_response(request)

    return middleware


@async_only_middleware
def wait(
    get_response: Callable[[HttpRequest], Awaitable[Any]],
) -> Callable[[HttpRequest], Awaitable[Any]]:
    async def middleware(request: HttpRequest) -> Any:
        return await get_response(request)

    return middleware


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.impersonate"]
    settings.SESSION_FILE_PATH = str(tmp_path)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    passed.clear()


def open_stream(browser: Client, who: Any, **headers: Any) -> Identity:
    recipient = who if isinstance(who, Recipient) else Recipient.for_user(who)
    response = browser.get("/messages/stream/", {"page": page_token(recipient)}, **headers)
    assert response.status_code == 200
    passed.clear()
    return Identity(response.wsgi_request, recipient)


def change_session(browser: Client, **values: Any) -> None:
    session = browser.session
    session.update(values)
    session.save()


@pytest.mark.parametrize("engine", SESSIONS)
def test_an_unchanged_session_is_not_sent_through_the_middleware(
    ann: Any, client: Client, settings: Any, engine: str
) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    client.force_login(ann)
    identity = open_stream(client, ann)
    assert identity.is_valid()
    assert passed == []


def test_an_unchanged_session_costs_its_row_and_the_users(
    browser: Client, ann: Any, django_assert_num_queries: Any
) -> None:
    identity = open_stream(browser, ann)
    with django_assert_num_queries(2):
        assert identity.is_valid()


def test_a_changed_session_goes_through_the_middleware_once(browser: Client, ann: Any) -> None:
    identity = open_stream(browser, ann)
    change_session(browser, cart=[1])
    assert identity.is_valid() and identity.is_valid()
    assert passed == ["ann"]


@pytest.mark.parametrize("engine", SESSIONS)
def test_it_ends_when_an_impersonation_begins(
    ann: Any, bob: Any, client: Client, settings: Any, engine: str
) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    client.force_login(ann)
    identity = open_stream(client, ann)
    change_session(client, be="bob")
    assert not identity.is_valid()


def test_it_ends_when_an_impersonation_ends(browser: Client, bob: Any) -> None:
    change_session(browser, be="bob")
    identity = open_stream(browser, bob)
    assert identity.is_valid()
    change_session(browser, be="")
    assert not identity.is_valid()


def test_it_ends_when_the_impersonated_account_is_deactivated(browser: Client, bob: Any) -> None:
    change_session(browser, be="bob")
    identity = open_stream(browser, bob)
    type(bob)._default_manager.filter(pk=bob.pk).update(is_active=False)
    assert not identity.is_valid()


def log_out(browser: Client, who: Any) -> None:
    browser.logout()


def log_in_as_another(browser: Client, who: Any) -> None:
    browser.force_login(user("bob"))


def flush(browser: Client, who: Any) -> None:
    browser.session.flush()


def expire(browser: Client, who: Any) -> None:
    Session.objects.update(expire_date=timezone.now())


def new_password(browser: Client, who: Any) -> None:
    who.set_password("other")
    who.save()


def deactivate(browser: Client, who: Any) -> None:
    type(who)._default_manager.filter(pk=who.pk).update(is_active=False)


def delete(browser: Client, who: Any) -> None:
    who.delete()


@pytest.mark.parametrize(
    "action", [log_out, log_in_as_another, flush, expire, new_password, deactivate, delete]
)
@pytest.mark.parametrize("impersonated", [False, True], ids=["own page", "impersonated page"])
def test_it_ends_with_the_sessions_user(
    browser: Client, ann: Any, bob: Any, action: Callable[[Client, Any], None], impersonated: bool
) -> None:
    if impersonated:
        change_session(browser, be="bob")
    identity = open_stream(browser, bob if impersonated else ann)
    action(browser, ann)
    assert not identity.is_valid()


def test_a_visitors_ends_with_their_session(client: Client, db: None) -> None:
    identity = open_stream(client, visitor_of(client))
    assert identity.is_valid() and passed == []
    client.session.flush()
    assert not identity.is_valid()


def test_a_visitors_ends_when_they_log_in(client: Client, ann: Any) -> None:
    identity = open_stream(client, visitor_of(client))
    client.force_login(ann)
    assert not identity.is_valid()


def test_a_user_from_a_middleware_is_identified_each_time(
    ann: Any, client: Client, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.by_token", f"{HERE}.impersonate"]
    identity = open_stream(client, ann, headers={"X-User": "ann"})
    assert identity.is_valid() and identity.is_valid()
    # Before the token's middleware and after it, in each check.
    assert passed == ["", "ann"] * 2
    deactivate(client, ann)
    assert not identity.is_valid()


def test_identifying_the_user_saves_no_session(browser: Client, ann: Any, settings: Any) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    identity = open_stream(browser, ann)
    change_session(browser, cart=[1])
    before = Session.objects.get().expire_date
    assert identity.is_valid() and passed
    assert Session.objects.get().expire_date == before


def test_a_language_activated_by_middleware_is_deactivated(
    browser: Client, ann: Any, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.activate_polish"]
    identity = open_stream(browser, ann)
    change_session(browser, cart=[1])
    with translation.override("de"):
        assert identity.is_valid()
        assert translation.get_language() == "de"


def test_async_middleware_is_supported(browser: Client, ann: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.wait"]
    identity = open_stream(browser, ann)
    change_session(browser, cart=[1])
    assert identity.is_valid()


@pytest.mark.parametrize("status", [302, 403, 429, 503])
def test_a_middleware_that_responds_itself_leaves_the_user_unknown(
    browser: Client, ann: Any, settings: Any, status: int
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.refuse"]
    identity = open_stream(browser, ann)
    change_session(browser, refused=status)
    with pytest.raises(SiteUnavailable, match=str(status)):
        identity.is_valid()


def test_the_request_of_an_asgi_server_is_repeated_unchanged(ann: Any, bob: Any) -> None:
    client = AsyncClient(headers={"X-Tab": "1"})
    client.force_login(ann)
    recipient = Recipient.for_user(ann)
    ask = async_to_sync(client.get)
    response = ask("/messages/stream/", {"page": page_token(recipient)})
    identity = Identity(response.asgi_request, recipient)
    passed.clear()
    change_session(client, cart=[1])
    assert identity.is_valid() and passed == ["ann"]
    change_session(client, be="bob")
    assert not identity.is_valid()


def test_a_prefix_that_is_not_ascii_is_kept(browser: Client, ann: Any) -> None:
    identity = open_stream(browser, ann, SCRIPT_NAME="/é".encode().decode("latin-1"))
    change_session(browser, cart=[1])
    assert identity.is_valid() and passed == ["ann"]


class TestManyAtOnce:
    """Unchanged streams are confirmed by common queries; the others are rechecked individually."""

    @pytest.mark.parametrize("engine", ["db", "cache", "cached_db"])
    def test_unchanged_sessions_are_confirmed(
        self, ann: Any, client: Client, settings: Any, engine: str
    ) -> None:
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        client.force_login(ann)
        identity = open_stream(client, ann)
        assert unchanged([identity]) == {identity}
        assert passed == []

    def test_two_queries_are_enough_for_all(self, db: None, django_assert_num_queries: Any) -> None:
        identities = []
        for number in range(10):
            browser, who = Client(), user(f"user{number}")
            browser.force_login(who)
            identities.append(open_stream(browser, who))
        with django_assert_num_queries(2):
            assert unchanged(identities) == set(identities)

    @pytest.mark.parametrize(
        "action", [log_out, log_in_as_another, flush, new_password, deactivate, delete]
    )
    @pytest.mark.parametrize("engine", ["db", "cache", "cached_db"])
    def test_a_possibly_ended_session_is_not_confirmed(
        self,
        ann: Any,
        client: Client,
        settings: Any,
        action: Callable[[Client, Any], None],
        engine: str,
    ) -> None:
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        client.force_login(ann)
        identity = open_stream(client, ann)
        action(client, ann)
        assert unchanged([identity]) == set()

    def test_a_session_that_has_expired_is_not_confirmed(self, browser: Client, ann: Any) -> None:
        identity = open_stream(browser, ann)
        expire(browser, ann)
        assert unchanged([identity]) == set()

    def test_a_changed_session_is_not_confirmed_before_the_middleware_has_run(
        self, browser: Client, ann: Any
    ) -> None:
        identity = open_stream(browser, ann)
        change_session(browser, cart=[1])
        assert unchanged([identity]) == set()
        assert identity.is_valid()
        assert unchanged([identity]) == {identity}

    @pytest.mark.parametrize("engine", ["file", "signed_cookies"])
    def test_sessions_outside_of_the_database_are_rechecked_individually(
        self, ann: Any, client: Client, settings: Any, engine: str
    ) -> None:
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        client.force_login(ann)
        identity = open_stream(client, ann)
        assert unchanged([identity]) == set()
        assert identity.is_valid()

    def test_a_user_from_a_middleware_is_rechecked_individually(
        self, browser: Client, bob: Any
    ) -> None:
        change_session(browser, be="bob")
        assert unchanged([open_stream(browser, bob)]) == set()

    def test_a_custom_backend_is_called_for_each_user(
        self, ann: Any, client: Client, settings: Any
    ) -> None:
        settings.AUTHENTICATION_BACKENDS = [f"{HERE}.CustomBackend"]
        client.force_login(ann)
        identity = open_stream(client, ann)
        assert unchanged([identity]) == set()
        assert identity.is_valid()

    def test_visitors_are_rechecked_individually(self, client: Client, db: None) -> None:
        assert unchanged([open_stream(client, visitor_of(client))]) == set()

"""Stream requests that wait together share the queries for their sessions and users."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.db.models.query import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from monitio.recipients import Recipient, page_token
from monitio.stream import lookups, requests
from monitio.stream.lookups import StreamRequest, Waiting
from tests.support import scopes
from tests.support.people import user

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def request_of(who: User, key: str = "") -> StreamRequest:
    client = Client()
    client.force_login(who)
    cookie = f"sessionid={key or client.cookies['sessionid'].value}"
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/messages/stream/",
        "query_string": f"page={page_token(Recipient.for_user(who))}".encode(),
        "headers": [(b"cookie", cookie.encode()), (b"host", b"testserver")],
    }
    return StreamRequest(scope, BytesIO())


def key_of(request: StreamRequest) -> str:
    return request.COOKIES["sessionid"]


def statuses(waiting: Waiting, *together: StreamRequest) -> list[int]:
    """The statuses of the responses to requests that wait together."""
    for request in together:
        waiting.add(request)
    found = []
    for request in together:
        waiting.look_up(request)
        found.append(requests._handler().get_response(request).status_code)
    return found


def of_sessions_and_users(queries: CaptureQueriesContext) -> int:
    tables = ("django_session", "auth_user")
    return sum(any(table in query["sql"] for table in tables) for query in queries)


def test_requests_that_wait_together_are_read_by_two_queries(waiting: Waiting) -> None:
    together = [request_of(user(name)) for name in ("ann", "ben", "cem", "dan")]
    with CaptureQueriesContext(connection) as queries:
        assert statuses(waiting, *together) == [200] * 4
    assert of_sessions_and_users(queries) == 2
    assert [request.user.username for request in together] == ["ann", "ben", "cem", "dan"]


def test_a_single_request_is_read_by_django(waiting: Waiting) -> None:
    request = request_of(user())
    with CaptureQueriesContext(connection) as queries:
        assert statuses(waiting, request) == [200]
    assert of_sessions_and_users(queries) == 2
    assert request.found is None


def test_tabs_of_one_session_share_no_object(waiting: Waiting) -> None:
    first = request_of(user())
    second = request_of(user(), key_of(first))
    assert statuses(waiting, first, second) == [200, 200]
    assert first.user is not second.user
    assert first.session._session_cache is not second.session._session_cache
    assert first.session._session_cache == second.session._session_cache


def _end_session(request: StreamRequest) -> None:
    Session.objects.filter(session_key=key_of(request)).delete()


def _deactivate(request: StreamRequest) -> None:
    User.objects.filter(username="ann").update(is_active=False)


def _change_password(request: StreamRequest) -> None:
    ann = User.objects.get(username="ann")
    ann.set_password("new")
    ann.save()


@pytest.mark.parametrize("change", [_end_session, _deactivate, _change_password])
def test_a_signed_out_user_gets_no_stream(
    waiting: Waiting, change: Callable[[StreamRequest], None]
) -> None:
    ann, ben = request_of(user("ann")), request_of(user("ben"))
    change(ann)
    assert statuses(waiting, ann, ben) == [204, 200]
    assert not ann.user.is_authenticated


def test_a_middleware_that_changes_the_session_changes_the_user(waiting: Waiting) -> None:
    ann, ben = request_of(user("ann")), request_of(user("ben"))
    for request in (ann, ben):
        waiting.add(request)
    waiting.look_up(ann)
    ann.session = lookups._store()(key_of(ann))
    assert lookups._is_user_of(ann.session, user("ann"))
    ann.session[SESSION_KEY] = str(user("ben").pk)
    assert not hasattr(ann, "_cached_user")


def test_another_session_than_that_of_the_cookie_is_read_by_django(waiting: Waiting) -> None:
    ann, ben = request_of(user("ann")), request_of(user("ben"))
    for request in (ann, ben):
        waiting.add(request)
    waiting.look_up(ann)
    ann.session = lookups._store()(key_of(ben))
    assert not hasattr(ann.session, "_session_cache")
    assert not hasattr(ann, "_cached_user")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MONITIO_SCOPE", scopes.PATH),
        ("DATABASE_ROUTERS", [object()]),
        ("SESSION_ENGINE", "django.contrib.sessions.backends.cached_db"),
    ],
)
def test_a_session_that_a_middleware_can_choose_is_not_read_in_advance(
    waiting: Waiting, settings: Any, setting: str, value: object
) -> None:
    ann, ben = request_of(user("ann")), request_of(user("ben"))
    for request in (ann, ben):
        waiting.add(request)
    setattr(settings, setting, value)
    waiting.look_up(ann)
    assert ann.found is ben.found is None


def test_an_error_is_left_to_each_request(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(QuerySet, "in_bulk", fail)
    assert statuses(waiting, request_of(user("ann")), request_of(user("ben"))) == [200, 200]

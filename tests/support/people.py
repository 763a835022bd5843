"""Users, visitors and their requests."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string

from monitio.recipients import Recipient

STORAGE = "monitio.storage.PersistentMessageStorage"


def user(name: str = "ann", **fields: Any) -> Any:
    """The user of this name, created if missing."""
    model: Any = get_user_model()
    known = model.objects.filter(username=name).first()
    return known or model.objects.create_user(name, f"{name}@example.com", "secret", **fields)


def request_of(who: Any = None, session: Any = None, method: str = "get") -> HttpRequest:
    """A request of this user, or of an anonymous visitor, as a view gets it from the middleware."""
    request = getattr(RequestFactory(), method)("/")
    request.user = who or AnonymousUser()
    request.session = SessionStore() if session is None else session
    request._messages = import_string(STORAGE)(request)
    return request


def next_request(request: HttpRequest, response: HttpResponse | None = None) -> HttpRequest:
    """The same browser's next request: same user and session, and the cookies of the response."""
    following = request_of(request.user if request.user.is_authenticated else None, request.session)
    following.COOKIES.update(request.COOKIES)
    for name, morsel in (response.cookies if response is not None else {}).items():
        if morsel["max-age"] == 0:
            following.COOKIES.pop(name, None)
        else:
            following.COOKIES[name] = morsel.value
    return following


def respond(request: HttpRequest, status: int = 200) -> HttpResponse:
    """The response of the request, after the message storage has updated it."""
    response = HttpResponse(status=status)
    assert not request._messages.update(response)
    return response


def shown(request: HttpRequest) -> list[str]:
    """The texts that a page shows for this request."""
    return [str(message) for message in request._messages]


def visitor_of(client: Client) -> Recipient:
    """The recipient of a test client without a logged-in user; creates its session."""
    session = client.session
    request = RequestFactory().get("/")
    request.session = session
    recipient = Recipient.from_request(request)
    session.save()
    client.cookies["sessionid"] = session.session_key
    return recipient

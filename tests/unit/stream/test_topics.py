"""No request parameter, header or cookie gives access to another user's stream.

Every attack is tried on every address: the stream, its snapshot, and the redirects to a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from monitio import INFO, api
from monitio.recipients import SESSION_KEY, Recipient, page_token
from monitio.transports.hub import live_channels
from tests.support import people

STREAM, JSON = "/messages/stream/", "/messages/json/"
HUB = {"PUBLISH_URL": "http://127.0.0.1:1/"}


class Person(NamedTuple):
    client: Client
    who: Recipient
    # The id of one of their messages.
    message: int

    @property
    def page(self) -> str:
        return page_token(self.who)


def person(who: Recipient, client: Client, text: str) -> Person:
    return Person(client, who, api.create_message(who, INFO, text).pk)


def user(name: str, text: str) -> Person:
    client, account = Client(), people.user(name)
    client.force_login(account)
    return person(Recipient.for_user(account), client, text)


def visitor(text: str) -> Person:
    client = Client()
    return person(people.visitor_of(client), client, text)


@pytest.fixture(params=["user", "visitor"])
def victim(request: pytest.FixtureRequest, db: None) -> Person:
    return user("victim", "a secret") if request.param == "user" else visitor("a secret")


@pytest.fixture(params=["user", "visitor", "stranger"])
def attacker(request: pytest.FixtureRequest, db: None) -> Person:
    """A user or visitor with their own session, or a stranger without one."""
    if request.param == "user":
        return user("attacker", "their own")
    known = visitor("their own")
    return known if request.param == "visitor" else known._replace(client=Client())


class Attempt(NamedTuple):
    """The parameters of a request. ``page`` None: the attacker's own page."""

    parameters: dict[str, Any] = {}
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    page: str | None = None


def session_of(one: Person) -> str:
    return str(one.client.cookies["sessionid"].value)


ATTEMPTS: dict[str, Callable[[Person], Attempt]] = {
    "the page of the victim": lambda victim: Attempt(page=victim.page),
    "no page": lambda victim: Attempt(page=""),
    "the key for a page": lambda victim: Attempt(page=victim.who.key),
    "another kind of page": lambda victim: Attempt(page="u" + victim.page[1:]),
    "two pages": lambda victim: Attempt({"page": ["v.x", victim.page]}),
    "parameters": lambda victim: Attempt(
        dict.fromkeys(
            ("topic", "user", "recipient", "key", "channel", "id", "match", "token"), victim.who.key
        )
    ),
    "a primary key": lambda victim: Attempt(
        {name: str(victim.who.user_pk) for name in ("user", "user_id", "pk", "uid", "session")}
    ),
    "a message": lambda victim: Attempt({"id": victim.message, "last_event_id": victim.message}),
    "the page before a message": lambda victim: Attempt({"before": victim.message + 1}),
    "headers": lambda victim: Attempt(
        headers={
            "Remote-User": "victim",
            "X-Forwarded-User": "victim",
            "X-Accel-Redirect": f"/monitio/nchan/{live_channels(victim.who.topic)[0]}",
            "X-Original-URI": f"{STREAM}?page={victim.page}",
            "Last-Event-ID": str(victim.message),
            "Authorization": f"Bearer {victim.page}",
        }
    ),
    "cookies of other names": lambda victim: Attempt(
        cookies={
            SESSION_KEY: victim.who.token or "",
            "monitio": victim.who.key,
            "user": str(victim.who.user_pk),
            "mercureAuthorization": victim.page,
        }
    ),
    "what is no session": lambda victim: Attempt(
        cookies={"sessionid": victim.who.token or str(victim.who.user_pk)}
    ),
    "half a session": lambda victim: Attempt(cookies={"sessionid": session_of(victim)[:-1]}),
}


def send(attacker: Person, path: str, attempt: Attempt) -> Any:
    client, headers = copy_of(attacker.client), dict(attempt.headers)
    client.cookies.load(attempt.cookies)
    page = attacker.page if attempt.page is None else attempt.page
    return client.get(path, {"page": page, **attempt.parameters}, headers=headers)


def copy_of(client: Client) -> Client:
    """A client with the same cookies, so that attempts do not affect each other."""
    copy = Client()
    copy.cookies.load(client.cookies)
    return copy


def body(answer: Any) -> str:
    content: Iterator[bytes] = answer.streaming_content if answer.streaming else [answer.content]
    return b"".join(content).decode()


@pytest.mark.parametrize("path", [STREAM, JSON])
def test_no_attempt_shows_anothers_messages(
    victim: Person, attacker: Person, path: str, subtests: pytest.Subtests
) -> None:
    for name, attempt in ATTEMPTS.items():
        with subtests.test(name):
            answer = send(attacker, path, attempt(victim))
            assert answer.status_code in (200, 204)
            assert "a secret" not in body(answer)


@pytest.mark.parametrize("backend", ["nchan", "mercure"])
def test_no_attempt_is_handed_to_anothers_address(
    victim: Person, attacker: Person, backend: str, settings: Any, subtests: pytest.Subtests
) -> None:
    key = {"PUBLISHER_KEY": "k" * 32} if backend == "mercure" else {}
    settings.MONITIO_STREAM = {"BACKEND": backend, **HUB, **key}
    for name, attempt in ATTEMPTS.items():
        with subtests.test(name):
            addresses = set(addresses_in(send(attacker, STREAM, attempt(victim))))
            assert not addresses & set(live_channels(victim.who.topic))
            assert addresses <= set(live_channels(attacker.who.topic))


def addresses_in(answer: Any) -> list[str]:
    if answer.status_code == 204:
        return []
    if answer.status_code == 302:
        (topic,) = parse_qs(urlsplit(answer.headers["Location"]).query)["topic"]
        return [topic.removeprefix("urn:monitio:")]
    return [answer.headers["X-Accel-Redirect"].rpartition("/")[2]]


def test_the_attempts_would_be_detected(victim: Person, settings: Any) -> None:
    """The victim's own request returns all of it."""
    for path in (STREAM, JSON):
        assert "a secret" in body(send(victim, path, Attempt()))
    settings.MONITIO_STREAM = {"BACKEND": "nchan", **HUB}
    (address,) = addresses_in(send(victim, STREAM, Attempt()))
    assert address in live_channels(victim.who.topic)

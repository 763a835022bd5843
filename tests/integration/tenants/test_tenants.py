"""django-tenants: two schemas with equal primary keys and one Redis stay separate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.stream.client import EventSource
from tests.integration.stream.servers import Server
from tests.integration.tenants.project import settings
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

pytest.importorskip("django_tenants")

A, B = "a", "Big-Co"


@pytest.fixture(scope="module")
def url(postgres_server: Postgres) -> str:
    return postgres_server.database("tenants")


@pytest.fixture(scope="module")
def shared(url: str, valkey_server: Valkey) -> dict[str, Any]:
    return settings(url, MONITIO_TRANSPORT="redis", MONITIO_REDIS_URL=valkey_server.url)


@pytest.fixture(scope="module")
def peer(url: str, shared: dict[str, Any]) -> Iterator[Peer]:
    peer = Peer("tests.integration.tenants.process", url, **shared)
    peer.create(A, B)
    yield peer
    peer.close()


@dataclass
class Page:
    """An open page of a tenant's first user."""

    schema: str
    cookie: str
    token: str
    user: int
    stream: EventSource

    def sees(self, text: str) -> None:
        wait_until(lambda: text in self.texts(), message=lambda: f"{text}: {self.stream.events}")

    def loses(self, pk: int) -> None:
        wait_until(lambda: self._has_lost(pk), message=lambda: f"{pk}: {self.stream.events}")

    def _has_lost(self, pk: int) -> bool:
        """Whether an event removed the message, or the newest snapshot does not contain it."""
        events = [event for event in list(self.stream.events) if event.name in ("gone", "snapshot")]
        last = events[-1]
        if last.name == "gone":
            return pk in last.data["ids"]
        return pk not in [message["id"] for message in last.data["messages"]]

    def texts(self) -> set[str]:
        """Every text received so far."""
        found = set()
        for event in list(self.stream.events):
            if event.name == "snapshot":
                found |= {message["body"] for message in event.data["messages"]}
            elif event.name == "message":
                found.add(event.data["body"])
        return found


def sign_in(peer: Peer, schema: str, name: str = "ann") -> dict[str, Any]:
    browser: dict[str, Any] = peer.sign_in(schema, name)
    return browser


def open_page(peer: Peer, server: Server, schema: str) -> Page:
    browser = sign_in(peer, schema)
    headers = {"Host": f"{schema.lower()}.test"}
    stream = server.stream(browser, headers=headers)
    return Page(schema, browser["cookie"], browser["page"], browser["user"], stream)


@pytest.mark.parametrize(
    ("kind", "transport"),
    [("uvicorn", "redis"), ("endpoint", "redis"), ("gthread", "polling"), ("endpoint", "postgres")],
)
def test_an_open_page_gets_its_tenants_messages_only(
    peer: Peer, url: str, shared: dict[str, Any], kind: str, transport: str
) -> None:
    intervals = {"MONITIO_RECONCILE_INTERVAL": 1.0, "MONITIO_STREAM_RECHECK": 1.0}
    more = {"MONITIO_TRANSPORT": transport, "MONITIO_STREAMS_PER_PROCESS": 8}
    mine = {**shared, **intervals, **more}
    # The writer publishes by the server's transport.
    is_shared = transport == shared["MONITIO_TRANSPORT"]
    writer = peer if is_shared else Peer("tests.integration.tenants.process", url, **mine)
    server = Server(kind, url, **mine)
    pages: list[Page] = []
    try:
        for schema in (A, B):
            writer.write(schema, sign_in(writer, schema)["user"], f"{kind} old in {schema}")
        pages = [open_page(writer, server, schema) for schema in (A, B)]
        check_separation(writer, *pages)
    finally:
        for page in pages:
            page.stream.close()
        server.close()
        if not is_shared:
            writer.close()


def check_separation(writer: Peer, a: Page, b: Page) -> None:
    assert a.user == b.user
    # Snapshots.
    for page in (a, b):
        wait_until(lambda: page.texts())  # noqa: B023
    # Live.
    pks = [writer.write(page.schema, page.user, f"live in {page.schema}") for page in (a, b)]
    for page in (a, b):
        page.sees(f"live in {page.schema}")
    # Deletion.
    assert writer.delete(A, a.user, pks[0]) == 1
    a.loses(pks[0])
    # Reconciliation repairs a missed event, and rechecks find the session in its schema.
    for page in (b, a):
        writer.write_silently(page.schema, page.user, f"silent in {page.schema}")
        page.sees(f"silent in {page.schema}")
    assert not a.stream.ended.is_set() and not b.stream.ended.is_set()
    # A log-out in one tenant.
    assert writer.post(a.cookie, "/logout/", {})[0] == 302
    assert a.stream.ended.wait(30)
    writer.write(B, b.user, f"last in {B}")
    b.sees(f"last in {B}")
    assert all(text.endswith(f"in {A}") for text in a.texts()), a.texts()
    assert all(text.endswith(f"in {B}") for text in b.texts()), b.texts()
    assert not [event for event in b.stream.events if event.name == "gone"]


def test_a_page_token_of_one_tenant_is_refused_by_another(peer: Peer) -> None:
    a, b = sign_in(peer, A), sign_in(peer, B)
    assert (a["user"], a["page"] == b["page"]) == (b["user"], False)
    for path in ("json", "stream"):
        assert peer.get(b["cookie"], f"/messages/{path}/?page={a['page']}")[0] == 204
    assert peer.get(b["cookie"], f"/messages/json/?page={b['page']}")[0] == 200


def test_the_scopes_are_the_schemas_that_have_our_tables(peer: Peer) -> None:
    assert peer.scopes() == ["a", "Big-Co"]


def test_the_admin_of_a_tenant_shows_its_own(peer: Peer) -> None:
    a, b = sign_in(peer, A), sign_in(peer, B)
    for schema, browser in ((A, a), (B, b)):
        peer.promote(schema, "ann")
        peer.write(schema, browser["user"], f"for the admin of {schema}")
    for browser, own, other in ((a, A, B), (b, B, A)):
        status, html = peer.get(browser["cookie"], "/admin/monitio/message/")
        assert status == 200
        assert f"for the admin of {own}" in html and f"for the admin of {other}" not in html


def test_links_in_e_mails_work_only_at_their_tenant(peer: Peer) -> None:
    peer.mails()
    a, b = sign_in(peer, A), sign_in(peer, B)
    for schema, browser in ((A, a), (B, b)):
        peer.write(schema, browser["user"], "mailed", True)
    letters = peer.mails()
    hosts = [re.findall(r"https://([\w.-]+:8443/)app", letter["body"]) for letter in letters]
    assert [set(found) for found in hosts] == [{"a.test:8443/"}, {"big-co.test:8443/"}]
    assert letters[0]["id"] != letters[1]["id"]
    link = re.search(r"(/messages/unsubscribe/\S+)", letters[0]["body"])
    assert link
    one_click = {"List-Unsubscribe": "One-Click"}
    assert peer.post(b["cookie"], link[1], one_click)[0] == 400
    assert peer.post(a["cookie"], link[1], one_click)[0] == 200
    peer.write(A, a["user"], "not mailed", True), peer.write(B, b["user"], "mailed again", True)
    assert len(peer.mails()) == 1


def test_a_digest_holds_what_its_tenant_wrote(peer: Peer) -> None:
    peer.mails()
    for schema in (A, B):
        user = sign_in(peer, schema, "bob")["user"]
        peer.switch_to_digests(schema, user)
        peer.write(schema, user, f"gathered in {schema}")
        peer.make_due(schema)
    output = peer.command("monitio_digest")
    assert output.splitlines() == [
        f"{scope}: 1 sent, 0 failed, 0 could not be sent yet." for scope in peer.scopes()
    ]
    bodies = [letter["body"] for letter in peer.mails()]
    assert len(bodies) == 2
    assert f"gathered in {A}" in bodies[0] and f"gathered in {B}" not in bodies[0]
    assert f"gathered in {B}" in bodies[1] and f"gathered in {A}" not in bodies[1]
    for command in ("monitio_deliver", "monitio_prune"):
        assert "a: " in peer.command(command)


def test_a_worker_reports_to_the_tenant_that_started_the_task(peer: Peer) -> None:
    user = sign_in(peer, A, "eve")["user"]
    assert user == sign_in(peer, B, "eve")["user"]
    before = peer.schema_of_now()
    ended = peer.run_tasks(user, [A, False], [B, True])
    assert ended == [
        {"state": "succeeded", "keys": [f"a/user:{user}"]},
        {"state": "failed", "keys": [f"Big-Co/user:{user}"]},
    ]
    assert peer.schema_of_now() == before


def test_a_task_of_an_async_view_belongs_to_the_tenant_of_its_request(peer: Peer) -> None:
    browsers = {schema: sign_in(peer, schema, "kim") for schema in (A, B)}
    # django-tenants keeps the schema of the last request on the thread's connection.
    peer.get(browsers[B]["cookie"], "/messages/")
    assert peer.schema_of_now() == B
    ended = peer.start_in_async_view(browsers[A]["cookie"], A)
    assert ended["keys"] == [f"a/user:{browsers[A]['user']}"]

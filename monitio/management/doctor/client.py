"""A browser's requests to the site, with the session of a user or visitor that the doctor makes."""

from __future__ import annotations

import gzip
import http.client
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import get_random_string

from monitio.conf import settings
from monitio.management.doctor.registry import Site, Skip
from monitio.recipients import Recipient, page_token

TIMEOUT = 10.0
# Bytes of a page or file that are read.
LARGEST = 2_000_000


@dataclass(slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass(slots=True)
class Stream:
    """What a stream has sent, each event with the seconds since the request."""

    status: int
    headers: http.client.HTTPMessage
    first: float | None = None
    events: list[tuple[float, str]] = field(default_factory=list)
    reason: str = ""

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.events}


def connect(site: Site) -> http.client.HTTPConnection:
    """Raises ``Skip`` without ``--url``."""
    if not site.url:
        raise Skip("Only with --url.")
    parts = urlsplit(site.url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)


def path_of(site: Site, name: str) -> str:
    """The path of one of monitio's pages at the address: a proxy may add a prefix."""
    return urlsplit(site.url).path + reverse(name)


def session(site: Site) -> tuple[Any, Recipient]:
    """A session of the user of ``--try``, else of a visitor. ``end_session`` deletes it."""
    store = import_module(django_settings.SESSION_ENGINE).SessionStore()
    if site.user is not None:
        user = site.user
        store[SESSION_KEY] = user._meta.pk.value_to_string(user)
        store[BACKEND_SESSION_KEY] = django_settings.AUTHENTICATION_BACKENDS[0]
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        recipient = Recipient.for_user(user)
    elif settings.VISITORS:
        request = HttpRequest()
        request.session = store
        recipient = Recipient.from_request(request)
    else:
        raise Skip("MONITIO_VISITORS is off: name a user with --try.")
    store.save()
    return store, recipient


def headers_of(site: Site) -> dict[str, str]:
    store, _ = site.once(session)
    name = django_settings.SESSION_COOKIE_NAME
    return {"Cookie": f"{name}={store.session_key}", "Accept-Encoding": "gzip, deflate, br"}


def end_session(site: Site) -> None:
    if session in site.asked:
        store, _ = site.once(session)
        store.delete()


def ask(site: Site, path: str, *, form: str | None = None, **headers: str) -> Answer:
    """The answer to a GET, or to a POST of ``form``."""
    connection = connect(site)
    try:
        method = "GET" if form is None else "POST"
        # The one coding that is read below.
        own = {**headers_of(site), "Accept-Encoding": "gzip"}
        # Two cookies are one header.
        cookies = "; ".join(filter(None, (own["Cookie"], headers.pop("Cookie", ""))))
        connection.request(method, path, form, {**own, **headers, "Cookie": cookies})
        response = connection.getresponse()
        raw = response.read(LARGEST)
        if response.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        return Answer(response.status, response.headers, raw.decode(errors="replace"))
    finally:
        connection.close()


def post(site: Site, name: str) -> Answer:
    """A POST as the page's script sends it."""
    token = get_random_string(32)
    parts = urlsplit(site.url)
    header = django_settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-")
    return ask(
        site,
        path_of(site, name),
        form="",
        **{
            "Cookie": f"{django_settings.CSRF_COOKIE_NAME}={token}",
            header: token,
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": site.url + "/",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
    )


def page(site: Site) -> Answer:
    """The page at the address, or the list of messages where that has no ``{% monitio %}``."""
    first = ask(site, urlsplit(site.url).path or "/")
    return first if "<monitio-messages" in first.body else ask(site, path_of(site, "message_list"))


def stream(site: Site) -> Stream:
    """The stream up to its first heartbeat or end."""
    seconds = settings.STREAM_HEARTBEAT + 5
    return read_stream(site, seconds, lambda name, data: name in ("beat", "bye"))


def read_stream(site: Site, seconds: float, is_last: Callable[[str, str], bool]) -> Stream:
    """The stream for so many seconds, or up to the event for which ``is_last(name, data)``."""
    _, recipient = site.once(session)
    path = f"{path_of(site, 'message_stream')}?page={quote(page_token(recipient))}"
    connection, began, name = connect(site), time.monotonic(), ""
    connection.timeout = seconds
    found = Stream(0, http.client.HTTPMessage())
    try:
        connection.request("GET", path, headers=headers_of(site))
        response = connection.getresponse()
        found.status, found.headers = response.status, response.headers
        while time.monotonic() - began < seconds and (line := response.readline(LARGEST)):
            since = time.monotonic() - began
            found.first = since if found.first is None else found.first
            key, _, value = line.decode(errors="replace").rstrip("\r\n").partition(": ")
            if key == "event":
                name = value
                found.events.append((since, name))
            elif key == "data":
                if name == "bye":
                    found.reason = value
                if is_last(name, value):
                    break
    except TimeoutError:
        pass  # what has arrived until now counts
    finally:
        connection.close()
    return found

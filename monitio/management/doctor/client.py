"""A browser's requests to the site, with the session of a user or visitor that the doctor makes."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import get_random_string

from monitio.conf import settings
from monitio.management.doctor.registry import Site, Skip
from monitio.recipients import Recipient, page_token

TIMEOUT = 10.0
# Seconds that a heartbeat may be late.
SPARE = 5.0
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


def need_address(site: Site) -> None:
    """Raises ``Skip`` without ``--url``."""
    if not site.url:
        raise Skip("Only with --url.")


def handshake(site: Site) -> str:
    """``h2``, ``http/1.1``, or "" without TLS. Raises ``OSError``, and ``Skip`` without --url."""
    need_address(site)
    parts = urlsplit(site.url)
    is_tls = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if is_tls else 80))
    with socket.create_connection(address, TIMEOUT) as plain:
        if not is_tls:
            return ""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped:
            return wrapped.selected_alpn_protocol() or "http/1.1"


def reach(site: Site) -> None:
    """Raises ``Skip`` where the site does not answer, or sends browsers elsewhere."""
    try:
        site.once(handshake)
        elsewhere = site.once(redirect)
    except (OSError, http.client.HTTPException):
        raise Skip("The site does not answer.") from None
    if elsewhere:
        raise Skip(f"The site redirects to {elsewhere}.")


def redirect(site: Site) -> str:
    """The other origin, or the very same address, to which the address redirects; ""."""
    found = site.once(front)
    target = urljoin(f"{site.url}/", found.headers.get("Location", ""))
    is_same = target.rstrip("/") == site.url
    if found.status not in (301, 302, 303, 307, 308):
        return ""
    return target if is_same or urlsplit(target)[:2] != urlsplit(site.url)[:2] else ""


def connect(site: Site) -> http.client.HTTPConnection:
    parts = urlsplit(site.url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)


def path_of(site: Site, name: str) -> str:
    """The path of one of monitio's pages at the address: a proxy may add a prefix."""
    path, prefix = reverse(name), urlsplit(site.url).path
    # FORCE_SCRIPT_NAME may say the same.
    return path if path.startswith(f"{prefix}/") else prefix + path


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
    made = site.asked.get(session)
    if isinstance(made, tuple):
        made[0].delete()


def ask(
    site: Site,
    path: str,
    *,
    form: str | None = None,
    is_own: bool = True,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """The answer to a GET, or to a POST of ``form``. Another host (``is_own``) gets no session."""
    connection = connect(site)
    try:
        method = "GET" if form is None else "POST"
        own = headers_of(site) if is_own else {"Origin": "null"}
        # gzip is the one coding that is read below; two cookies are one header.
        sent = {**own, **headers, "Accept-Encoding": "gzip"}
        if "Cookie" in own and "Cookie" in headers:
            sent["Cookie"] = f"{own['Cookie']}; {headers['Cookie']}"
        connection.request(method, path, form, sent)
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
        headers={
            "Cookie": f"{django_settings.CSRF_COOKIE_NAME}={token}",
            header: token,
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": site.url + "/",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
    )


def front(site: Site) -> Answer:
    """The page at the address."""
    return ask(site, urlsplit(site.url).path or "/")


def page(site: Site) -> Answer:
    """The page at the address, or the list of messages where that has no ``{% monitio %}``."""
    reach(site)
    first = site.once(front)
    return first if "<monitio-messages" in first.body else ask(site, path_of(site, "message_list"))


def stream(site: Site) -> Stream:
    """The stream up to its first heartbeat or end."""
    reach(site)
    seconds = settings.STREAM_HEARTBEAT + SPARE
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

"""Faults between a browser and the site: servers, proxies, headers. Only with ``--url``."""

from __future__ import annotations

import re
import socket
import ssl
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.contrib.staticfiles.storage import staticfiles_storage

from monitio.conf import settings
from monitio.management.doctor import client
from monitio.management.doctor.pages import FILES
from monitio.management.doctor.registry import (
    INFO,
    LATE_LIVE,
    NO_STYLE,
    NOTHING_LIVE,
    WARNING,
    Site,
    Skip,
    fault,
)
from monitio.utils.outage import one_line

# Seconds until the first byte of a stream.
FIRST_BYTE = 1.0
DENIED = "Buttons of messages do nothing"


@fault(
    "url.answers",
    symptom="The site cannot be reached",
    cause="The address, the certificate or the proxy is wrong.",
    cure="Open the address in a browser; renew the certificate; look at the proxy's error log.",
    docs="serving.md",
)
def the_site_answers(site: Site) -> str | None:
    try:
        found = site.once(client.page)
    except (OSError, ValueError) as error:
        return f"{site.url}: {one_line(error)}"
    return f"{site.url} answers {found.status}." if found.status >= 500 else None


@fault(
    "url.tls",
    symptom="Sessions can be read on the way",
    cause="The site is served without TLS.",
    cure="Give the proxy a certificate, and serve https: alone.",
    docs="serving.md",
    level=WARNING,
)
def the_site_has_tls(site: Site) -> str | None:
    client.connect(site)
    is_local = urlsplit(site.url).hostname in ("localhost", "127.0.0.1", "::1")
    return f"{site.url} is http:." if site.url.startswith("http:") and not is_local else None


@fault(
    "url.http2",
    symptom="The seventh tab of a browser does not load",
    cause="Over HTTP/1.1 a browser has six connections to a site, and each open page holds one.",
    cure="Turn HTTP/2 on in the proxy: listen 443 ssl http2;.",
    docs="serving.md",
    level=WARNING,
)
def the_site_has_http2(site: Site) -> str | None:
    client.connect(site)
    parts = urlsplit(site.url)
    if parts.scheme != "https":
        raise Skip("Only over TLS.")
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = (parts.hostname or "", parts.port or 443)
    with (
        socket.create_connection(address, client.TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
    ):
        return None if wrapped.selected_alpn_protocol() == "h2" else "The server offers HTTP/1.1."


@fault(
    "page.tag",
    symptom=NOTHING_LIVE,
    cause="The page does not extend the template that has {% monitio %}.",
    cure="Extend it, or add {% monitio %} to the template of the page.",
    docs="install.md",
    level=WARNING,
)
def the_page_has_the_tag(site: Site) -> str | None:
    found = site.once(client.page)
    if "<monitio-messages" in found.body:
        return None
    return f"Neither {site.url} nor the list of messages has it (status {found.status})."


@fault(
    "static.served",
    symptom=NO_STYLE,
    cause="The server does not serve the static files.",
    cure="Run manage.py collectstatic, and let the proxy or WhiteNoise serve STATIC_ROOT.",
    docs="install.md",
)
def static_files_are_served(site: Site) -> str | None:
    client.connect(site)
    wrong = []
    for name in FILES:
        address = staticfiles_storage.url(name)
        if urlsplit(address).netloc:
            raise Skip("Another host serves the static files.")
        found = client.ask(site, address)
        if found.status != 200:
            wrong.append(f"{address} answers {found.status}")
        elif "html" in found.headers.get("Content-Type", ""):
            wrong.append(f"{address} is an HTML page")
    return f"{'; '.join(wrong)}." if wrong else None


@fault(
    "page.csp",
    symptom=NO_STYLE,
    cause="The Content-Security-Policy of the page refuses monitio's script, style or stream.",
    cure="Allow 'self' in script-src, style-src and connect-src.",
    docs="browser.md",
)
def the_policy_lets_the_files_in(site: Site) -> str | None:
    policy = site.once(client.page).headers.get("Content-Security-Policy", "")
    directives = {
        words[0].lower(): words[1:] for part in policy.split(";") if (words := part.split())
    }
    origins = {urlsplit(staticfiles_storage.url(name)).netloc for name in FILES} - {""}
    refused = [
        name
        for name in ("script-src", "style-src", "connect-src")
        if (sources := directives.get(name, directives.get("default-src"))) is not None
        and not any(
            source in ("'self'", "*", "https:", "'strict-dynamic'")
            or (source.startswith("'nonce-") and name != "connect-src")
            or urlsplit(site.url).netloc in source
            or any(origin in source for origin in origins)
            for source in sources
        )
    ]
    return f"Refused by {', '.join(refused)}." if refused else None


@fault(
    "cookies.flags",
    symptom="Sessions can be read on the way",
    cause="Cookies are also sent without TLS, or scripts can read the session.",
    cure="Set SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE and SESSION_COOKIE_HTTPONLY to True.",
    docs="serving.md",
    level=WARNING,
)
def cookies_are_safe(site: Site) -> str | None:
    client.connect(site)
    wanted = ["SESSION_COOKIE_HTTPONLY"]
    if site.url.startswith("https:"):
        wanted += ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
    missing = [name for name in wanted if not getattr(django_settings, name)]
    return f"False: {', '.join(missing)}." if missing else None


@fault(
    "proxy.forwarded",
    symptom=DENIED,
    cause="The proxy does not pass on the host and the scheme, so Django refuses every POST.",
    cure="Let it set Host and X-Forwarded-Proto, and set SECURE_PROXY_SSL_HEADER (or "
    "CSRF_TRUSTED_ORIGINS).",
    docs="serving.md",
)
def the_proxy_forwards(site: Site) -> str | None:
    client.connect(site)
    if django_settings.CSRF_USE_SESSIONS:
        raise Skip("CSRF_USE_SESSIONS is on.")
    found = client.post(site, "message_mark_seen")
    return f"A POST from {site.url} is answered {found.status}." if found.status == 403 else None


@fault(
    "stream.opens",
    symptom=NOTHING_LIVE,
    cause="The stream does not open: a log-in page, a firewall or an error is in between.",
    cure="Let the address of message_stream reach Django, with its cookies and its query.",
    docs="serving.md",
)
def the_stream_opens(site: Site) -> str | None:
    found = site.once(client.stream)
    kind = found.headers.get("Content-Type", "")
    if found.status == 200 and kind.startswith("text/event-stream"):
        return None
    return f"Status {found.status}, {kind or 'without a type'}."


def opened(site: Site) -> client.Stream:
    """The stream. Raises ``Skip`` where it did not open."""
    if the_stream_opens(site):
        raise Skip("The stream does not open.")
    return site.once(client.stream)


@fault(
    "stream.first_byte",
    symptom=LATE_LIVE,
    cause="A proxy buffers the stream, or the server is overloaded.",
    cure="Turn buffering off for message_stream: proxy_buffering off;.",
    docs="serving.md",
)
def the_stream_begins_at_once(site: Site) -> str | None:
    first = opened(site).first
    if first is None:
        return "No byte has arrived."
    return f"The first byte came after {first:.1f} s." if first > FIRST_BYTE else None


@fault(
    "stream.compressed",
    symptom=LATE_LIVE,
    cause="A proxy or middleware compresses the stream, and collects events to do so.",
    cure="Turn compression off for message_stream: gzip off;.",
    docs="serving.md",
)
def the_stream_is_plain(site: Site) -> str | None:
    coding = opened(site).headers.get("Content-Encoding", "identity")
    return None if coding == "identity" else f"Content-Encoding: {coding}."


@fault(
    "stream.beat",
    symptom=LATE_LIVE,
    cause="A proxy buffers or ends the stream before its first heartbeat.",
    cure="Turn buffering off, and set the proxy's read time-out above MONITIO_STREAM_HEARTBEAT.",
    docs="serving.md",
)
def the_stream_beats(site: Site) -> str | None:
    found = opened(site)
    if "bye" in found.names:
        raise Skip("The stream ended as intended.")
    if "beat" in found.names:
        return None
    return f"No heartbeat in {settings.STREAM_HEARTBEAT + 5:.0f} s."


@fault(
    "stream.polls",
    symptom=LATE_LIVE,
    cause="The server holds no streams, or as many as it may: pages poll.",
    cure="Serve the site by ASGI, use monitio.contrib.gunicorn, or raise "
    "MONITIO_STREAMS_PER_PROCESS.",
    docs="serving.md",
    level=INFO,
)
def the_server_holds_streams(site: Site) -> str | None:
    found = opened(site)
    server = re.sub(r"[^\w./ -]", "", found.headers.get("Server", "unknown"))
    return f"The server ({server}) ended it: {found.reason}" if "busy" in found.reason else None

"""Faults between a browser and the site: servers, proxies, headers. Only with ``--url``."""

from __future__ import annotations

import http.client
import re
import ssl
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.contrib.staticfiles.storage import staticfiles_storage

from monitio.conf import settings
from monitio.management.doctor import client, csp
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
UNREACHABLE = "The site cannot be reached"
# A part of the type with which a file is served.
TYPES = {"script": "javascript", "style": "css"}


@fault(
    "url.certificate",
    symptom=UNREACHABLE,
    cause="The certificate has expired, is for another name, or is not trusted.",
    cure="Renew it, for this name and with its chain; SSL_CERT_FILE names an authority of your "
    "own to the doctor.",
    docs="serving.md",
)
def the_certificate_is_valid(site: Site) -> str | None:
    try:
        if not site.once(client.handshake):
            raise Skip("Only over TLS.")
    except ssl.SSLCertVerificationError as error:
        return f"{site.url}: {error.verify_message}."
    except OSError:
        raise Skip("The site does not answer.") from None
    return None


@fault(
    "url.answers",
    symptom=UNREACHABLE,
    cause="The address or the proxy is wrong, or the site does not run.",
    cure="Open the address in a browser; look at the proxy's error log.",
    docs="serving.md",
)
def the_site_answers(site: Site) -> str | None:
    try:
        site.once(client.handshake)
        found = site.once(client.front)
    except ssl.SSLCertVerificationError:
        raise Skip("The certificate is refused.") from None
    except (OSError, http.client.HTTPException) as error:
        return f"{site.url}: {one_line(error)}"
    return f"{site.url} answers {found.status}." if found.status >= 500 else None


@fault(
    "url.redirects",
    symptom=UNREACHABLE,
    cause="The site has another address; or it redirects to itself, because Django does not see "
    "that the proxy has TLS.",
    cure="Give --url the other address. Where it is the same: set SECURE_PROXY_SSL_HEADER, and let "
    "the proxy set X-Forwarded-Proto.",
    docs="serving.md",
)
def the_address_is_final(site: Site) -> str | None:
    try:
        elsewhere = site.once(client.redirect)
    except (OSError, http.client.HTTPException):
        raise Skip("The site does not answer.") from None
    return f"{site.url} redirects to {elsewhere}." if elsewhere else None


@fault(
    "url.host",
    symptom=UNREACHABLE,
    cause="ALLOWED_HOSTS does not have the host that Django sees.",
    cure="Add the site's host to ALLOWED_HOSTS, and let the proxy pass it on as Host.",
    docs="serving.md",
)
def the_host_is_allowed(site: Site) -> str | None:
    client.reach(site)
    return f"{site.url} answers 400." if site.once(client.front).status == 400 else None


@fault(
    "url.tls",
    symptom="Sessions can be read on the way",
    cause="The site is served without TLS.",
    cure="Give the proxy a certificate, and serve https: alone.",
    docs="serving.md",
    level=WARNING,
)
def the_site_has_tls(site: Site) -> str | None:
    client.reach(site)
    return f"{site.url} is http:." if is_public_and_plain(site) else None


def is_public_and_plain(site: Site) -> bool:
    """Whether it is served without TLS, and not to this machine alone."""
    parts = urlsplit(site.url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


@fault(
    "url.http2",
    symptom="The seventh tab of a browser does not load",
    cause="Over HTTP/1.1 a browser has six connections to a site, and each open page holds one.",
    cure="Turn HTTP/2 on in the proxy: listen 443 ssl http2;.",
    docs="serving.md",
    level=WARNING,
)
def the_site_has_http2(site: Site) -> str | None:
    client.reach(site)
    protocol = site.once(client.handshake)
    if not protocol:
        raise Skip("Only over TLS.")
    return None if protocol == "h2" else "The server offers HTTP/1.1."


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
    client.reach(site)
    wrong = []
    for name, kind in FILES.items():
        address = urljoin(f"{site.url}/", staticfiles_storage.url(name))
        origin, path = urlsplit(address)[:2], urlsplit(address).path
        is_own = origin == urlsplit(site.url)[:2]
        try:
            found = client.ask(site if is_own else Site("://".join(origin)), path, is_own=is_own)
        except (OSError, http.client.HTTPException) as error:
            wrong.append(f"{address}: {one_line(error)}")
            continue
        # Browsers run no module of another type.
        media, text = found.headers.get("Content-Type", "none"), TYPES[kind]
        if found.status != 200:
            wrong.append(f"{address} answers {found.status}")
        elif text not in media:
            wrong.append(f"{address} has the type {media}")
        elif (
            not is_own and kind == "script" and not found.headers.get("Access-Control-Allow-Origin")
        ):
            wrong.append(f"{address} has no Access-Control-Allow-Origin")
    return f"{'; '.join(wrong)}." if wrong else None


@fault(
    "page.csp",
    symptom=NO_STYLE,
    cause="The Content-Security-Policy of the page refuses monitio's script, style or stream.",
    cure="Allow 'self' (or the host of the static files) in script-src and style-src, and 'self' "
    "in connect-src.",
    docs="browser.md",
)
def the_policy_lets_the_files_in(site: Site) -> str | None:
    page = site.once(client.page)
    headers = page.headers.get_all("Content-Security-Policy", [])
    policies = [policy for header in headers for policy in header.split(",")]
    wanted = [(kind, staticfiles_storage.url(name)) for name, kind in FILES.items()]
    wanted.append(("connect", client.path_of(site, "message_stream")))
    # It imports the other scripts.
    importer = urljoin(f"{site.url}/", staticfiles_storage.url("monitio/monitio.js"))
    refused = []
    for kind, path in wanted:
        address = urljoin(f"{site.url}/", path)
        if directive := csp.refusing(
            policies, kind, address, site.url, page.body, importer if kind == "script" else ""
        ):
            refused.append(f"{directive} refuses {address}")
    return f"{'; '.join(refused)}." if refused else None


@fault(
    "cookies.flags",
    symptom="Sessions can be read on the way",
    cause="Cookies are also sent without TLS, or scripts can read the session.",
    cure="Set SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE and SESSION_COOKIE_HTTPONLY to True.",
    docs="serving.md",
    level=WARNING,
)
def cookies_are_safe(site: Site) -> str | None:
    client.need_address(site)
    wanted = ["SESSION_COOKIE_HTTPONLY"]
    if site.url.startswith("https:"):
        wanted += ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
    missing = [name for name in wanted if not getattr(django_settings, name)]
    return f"False: {', '.join(missing)}." if missing else None


@fault(
    "cookies.unsent",
    symptom="Nobody stays logged in",
    cause="Browsers send no cookie that is marked as secure to a site without TLS.",
    cure="Serve the site by https:, or set SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE to False.",
    docs="serving.md",
)
def cookies_are_sent(site: Site) -> str | None:
    client.need_address(site)
    secure = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    found = [name for name in secure if getattr(django_settings, name)]
    return (
        f"{site.url} is http:; True: {', '.join(found)}."
        if found and is_public_and_plain(site)
        else None
    )


@fault(
    "proxy.forwarded",
    symptom=DENIED,
    cause="The proxy does not pass on the host and the scheme, so Django refuses every POST.",
    cure="Let it set Host and X-Forwarded-Proto, and set SECURE_PROXY_SSL_HEADER (or "
    "CSRF_TRUSTED_ORIGINS).",
    docs="serving.md",
)
def the_proxy_forwards(site: Site) -> str | None:
    client.reach(site)
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
    if not found.status:
        raise Skip("No answer has arrived.")
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
    if not site.once(client.stream).status:
        return "Not even the head of the answer has arrived."
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
    return f"No heartbeat in {settings.STREAM_HEARTBEAT + client.SPARE:.0f} s."


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

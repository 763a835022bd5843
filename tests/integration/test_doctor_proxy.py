"""The doctor with a real nginx and TLS: the documented configuration, and common mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitio.management.doctor import client, web
from monitio.management.doctor.registry import FAULTS, OK, SKIPPED, Site, examine
from tests.conftest import missing
from tests.support.peers import TIMEOUT
from tests.support.people import user
from tests.support.servers.nginx import CONFIGURATIONS, Nginx
from tests.support.servers.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "localhost"
# Site -> its mistake: replacements in the documented configuration.
SPOTS: dict[str, dict[str, str]] = {
    "healthy": {},
    "http1": {" ssl http2;": " ssl;"},
    "buffering": {
        "proxy_buffering off;": "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
    },
    "compressing": {
        "gzip off;": "gzip on; gzip_types text/event-stream; proxy_hide_header Content-Encoding;"
    },
    "host": {"proxy_set_header Host $host;": "proxy_set_header Host app;"},
    "unknown": {"proxy_set_header Host $host;": "proxy_set_header Host other.example.com;"},
    "scheme": {"proxy_set_header X-Forwarded-Proto $scheme;": ""},
    "static": {"location /static/ {": "location /static/ { return 404;"},
    "types": {"expires $static_expires;": "types { } default_type text/plain;"},
    "policy": {"client_max_body_size": "add_header Content-Security-Policy "
               "\"script-src 'self' cdn.test; style-src cdn.test\"; client_max_body_size"},
    "login": {"location /messages/stream/ {": "location /messages/stream/ { return 302 /login/;"},
    # As SECURE_SSL_REDIRECT redirects when Django does not know of TLS.
    "circle": {"location / {": "location / { return 301 https://$http_host$request_uri;"},
    "expired": {"whole.pem": "expired.pem"},
    "other": {"whole.pem": "other.pem"},
}  # fmt: skip


def certificates(folder: Path) -> None:
    """Create certificates of a test authority, whose own is ``authority.pem``."""
    authority, past = trustme.CA(), datetime.now(UTC) - timedelta(days=1)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    made = {
        "whole.pem": authority.issue_cert(NAME),
        "expired.pem": authority.issue_cert(
            NAME, not_before=past - timedelta(days=9), not_after=past
        ),
        "other.pem": authority.issue_cert("other.example.com"),
    }
    for name, found in made.items():
        found.private_key_and_cert_chain_pem.write_to_path(str(folder / name))


def configuration(folder: Path, upstream: str, ports: dict[str, int]) -> str:
    """The documented configuration, once for each site of ``SPOTS``."""
    head, _, sites = (
        (CONFIGURATIONS / "nginx.conf").read_text().partition("server {\n    listen 80;")
    )
    body = "server {" + sites.partition("}\n\nserver {")[2]
    head = head.replace("unix:/run/contacts/site.sock", upstream.removeprefix("http://"))
    live = "/etc/letsencrypt/live/contacts.example.com"
    body = (
        body.replace(f"{live}/fullchain.pem", f"{folder}/whole.pem")
        .replace(f"{live}/privkey.pem", f"{folder}/whole.pem")
        .replace("server_name contacts.example.com;", "")
        .replace("alias /srv/contacts/static/;", f"alias {folder}/static/;")
    )
    servers = [head]
    for name, spots in SPOTS.items():
        server = body.replace("listen 443 ", f"listen 127.0.0.1:{ports[name]} ")
        for old, new in spots.items():
            assert old in server, f"{old} is no longer in the example"
            server = server.replace(old, new)
        servers.append(server)
    return "\n".join(servers)


@pytest.fixture(scope="module")
def proxy(
    live_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, int]]]:
    """The folder of certificates and static files, and each site's port."""
    if not Nginx.is_installed():
        missing("nginx is missing: apt-get install nginx")
    folder = tmp_path_factory.mktemp("proxy")
    certificates(folder)
    for name in web.FILES:
        target = folder / "static" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((Path("monitio/static") / name).read_bytes())
    ports = {name: free_port() for name in SPOTS}
    nginx = Nginx(configuration(folder, live_server.url, ports), *ports.values(), workers=1)
    nginx.start()
    yield folder, ports
    nginx.close()


@pytest.fixture
def sites(
    proxy: tuple[Path, dict[str, int]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Site]]:
    folder, ports = proxy
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    settings.ALLOWED_HOSTS = [NAME, "app"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    # A busy machine must not cause a finding.
    monkeypatch.setattr(web, "FIRST_BYTE", TIMEOUT)
    monkeypatch.setattr(client, "SPARE", TIMEOUT)
    monkeypatch.setattr(client, "TIMEOUT", TIMEOUT)
    ann = user()
    made = {name: Site(f"https://{NAME}:{port}", ann) for name, port in ports.items()}
    # The proxy passes the host on without the tests' port.
    settings.CSRF_TRUSTED_ORIGINS = [site.url for name, site in made.items() if name != "host"]
    yield made
    for site in made.values():
        client.end_session(site)


def look(site: Site, identifier: str) -> str | None:
    return FAULTS[identifier].look(site)


def test_a_healthy_site_is_found_so_through_tls_and_http_2(sites: dict[str, Site]) -> None:
    names = {name for name in FAULTS if FAULTS[name].look.__module__ == web.__name__}
    found = [finding for finding in examine(sites["healthy"]) if finding.id in names]
    assert {finding.id for finding in found if finding.status != OK} == set(), found


@pytest.mark.parametrize(
    ("name", "identifier", "saw"),
    [
        ("http1", "url.http2", "The server offers HTTP/1.1."),
        ("buffering", "stream.first_byte", "Not even the head"),
        ("compressing", "stream.compressed", "gzip"),
        ("unknown", "url.host", "400"),
        ("host", "proxy.forwarded", "403"),
        ("static", "static.served", "answers 404"),
        ("types", "static.served", "monitio.js has the type text/plain"),
        ("policy", "page.csp", "style-src refuses https://localhost"),
        ("login", "stream.opens", "Status 302"),
        ("circle", "url.redirects", "redirects to https://localhost"),
        ("expired", "url.certificate", "certificate has expired"),
        ("other", "url.certificate", "Hostname mismatch"),
    ],
)
def test_what_a_proxy_has_wrong(
    name: str,
    identifier: str,
    saw: str,
    sites: dict[str, Site],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The doctor waits for its time-out here: for the response's head, or a readable heartbeat.
    if spare := {"buffering": 1.0, "compressing": 5.0}.get(name):
        monkeypatch.setattr(client, "SPARE", spare)
    assert saw in str(look(sites[name], identifier))


def test_a_scheme_that_is_not_passed_on(sites: dict[str, Site], settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = []
    assert "403" in str(look(sites["scheme"], "proxy.forwarded"))


def test_an_authority_that_is_not_trusted_is_one_error_alone(
    sites: dict[str, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    names = {name for name in FAULTS if FAULTS[name].look.__module__ == web.__name__}
    found = {f.id: f.status for f in examine(sites["healthy"]) if f.id in names}
    assert found.pop("url.certificate") == "error"
    # These checks need only the address.
    assert {found.pop("cookies.flags"), found.pop("cookies.unsent")} == {OK}
    assert set(found.values()) == {SKIPPED}, found

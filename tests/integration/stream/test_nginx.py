"""The suite of ``base.py`` behind nginx, with the configuration of examples/production."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.conftest import missing
from tests.integration.stream.base import SETTINGS, Browser, ServerSuite
from tests.integration.stream.page import Page
from tests.integration.stream.servers import Server
from tests.support.peers import ROOT, Peer
from tests.support.servers.nginx import Nginx
from tests.support.servers.ports import free_port

EXAMPLE = (ROOT / "examples/production/nginx.conf").read_text()
MANUAL = (ROOT / "docs/serving.md").read_text()

LIMITS = {
    "MONITIO_STREAMS_PER_PROCESS": 100,
    "MONITIO_STREAMS_PER_ADDRESS": 9,
    "MONITIO_CLIENT_ADDRESS": "HTTP_X_FORWARDED_FOR",
}


class Ports(NamedTuple):
    """nginx's ports: for the redirect, for TLS, and for the same site in plain HTTP (for tests)."""

    redirect: int
    tls: int
    plain: int


def configuration(folder: Path, upstream: int, ports: Ports) -> str:
    """The example with only the addresses replaced."""
    config = EXAMPLE
    for old, new in {
        "unix:/run/contacts/site.sock": f"127.0.0.1:{upstream}",
        "listen 80;": f"listen 127.0.0.1:{ports.redirect};",
        "listen 443 ": f"listen 127.0.0.1:{ports.plain}; listen 127.0.0.1:{ports.tls} ",
        "/etc/letsencrypt/live/contacts.example.com/": f"{folder}/",
    }.items():
        assert old in config, f"{old} is no longer in the example"
        config = config.replace(old, new)
    return config


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a key and a self-signed certificate."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=contacts.example.com", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return folder


@pytest.fixture(
    scope="module",
    params=["gevent", pytest.param("uvicorn", marks=pytest.mark.variant), "uvicorn-endpoint"],
)
def backend(
    request: pytest.FixtureRequest, site: Peer, database: str, transport: dict[str, str]
) -> Iterator[Server]:
    if not Nginx.is_installed():
        missing("nginx is missing: apt-get install nginx")
    server = Server(request.param, database, **SETTINGS, **LIMITS, **transport)
    yield server
    server.close()


@pytest.fixture(scope="module")
def nginx(backend: Server, certificate: Path) -> Iterator[Nginx]:
    ports = Ports(free_port(), free_port(), free_port())
    nginx = Nginx(configuration(certificate, backend.port, ports), *ports)
    nginx.start()
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def server(backend: Server, nginx: Nginx) -> Server:
    backend.public_port = Ports(*nginx.ports).plain
    return backend


class TestBehindNginx(ServerSuite):
    def test_one_connection_of_http_2_carries_many_streams(
        self, nginx: Nginx, site: Peer, browser: Browser
    ) -> None:
        base = f"https://127.0.0.1:{Ports(*nginx.ports).tls}/messages/stream/"
        people = [browser, *(site.sign_in(f"tab-{number}") for number in range(7))]
        with ExitStack() as stack:
            client = stack.enter_context(httpx.Client(http2=True, verify=False, timeout=60))
            for one in people:
                headers, page = {"Cookie": one["cookie"]}, {"page": one["page"]}
                tab = client.stream("GET", base, headers=headers, params=page)
                answer = stack.enter_context(tab)
                assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
                assert "event: snapshot" in answer.iter_lines()

    def test_a_client_cannot_choose_the_address_it_is_counted_by(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        people = [browser, *(site.sign_in(f"crowd-{number}") for number in range(9))]
        with ExitStack() as stack:
            for number, one in enumerate(people):
                claim = {"X-Forwarded-For": f"8.8.4.{number}"}
                stream = stack.enter_context(server.stream(one, headers=claim))
                stream.wait_for("snapshot")
            assert stream.wait_until_it_ends() == "busy"
            assert server.open_streams() == 9

    def test_nginx_can_be_restarted(
        self, server: Server, nginx: Nginx, site: Peer, browser: Browser
    ) -> None:
        with Page(server.public_port, browser) as page:
            page.wait_until_open()
            nginx.stop()
            site.write(browser["key"], "while nobody was there")
            nginx.start()
            page.wait_until_it_shows("while nobody was there")

    def test_nginx_logs_no_error(self, nginx: Nginx) -> None:
        result = subprocess.run(
            [nginx.binary, "-t", "-p", str(nginx.folder.path), "-c", "nginx.conf"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "is successful" in result.stderr
        assert not re.findall(r"\[(warn|error|emerg)\]", result.stderr), result.stderr


def directives(text: str) -> list[str]:
    """The directives of the stream's location block, without comments."""
    (block,) = re.findall(r"location /messages/stream/ \{(.*?)\}", text, re.DOTALL)
    lines = [line.strip() for line in str(block).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_documented_configuration_is_the_tested_one() -> None:
    assert directives(MANUAL) == directives(EXAMPLE)

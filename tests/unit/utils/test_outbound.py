"""Requests to URLs of users: refused addresses (the table of docs/webhooks.md) and time-outs."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from monitio.utils import outbound
from monitio.utils.outbound import Refused, parse, post
from tests.support.servers.tls import certificate

ROOT = Path(__file__).parents[3]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# URLs, and a part of the reason.
REFUSED_URLS = [
    ("http://example.com/", "begin with https"),
    ("https://example.com:8443/", "no port but 443"),
    ("https://example.com:0/", "no port but 443"),
    ("https://ann:pass@example.com/", "user name or password"),
    ("https://example.com@127.0.0.1/", "user name or password"),
    ("file:///etc/passwd", "https:// and a host"),
    ("gopher://example.com/", "https:// and a host"),
    ("https:///path", "https:// and a host"),
    ("https://exa\tmple.com/", "without spaces"),
    ("https://example.com\\@127.0.0.1/", "without spaces"),
    ("https://example.com/\r\nHost: x", "without spaces"),
    ("https://ex\u00e4mple.com/", "ASCII"),
    ("https://example.com/" + "x" * 2048, "2048"),
    ("https://" + "a" * 64 + ".example/", "https:// and a host"),
    ("https://[::1/", "not a URL"),
    ("https://example.com:99999/", "not a URL"),
    ("https://example.com:4_43/", "not a URL"),
    ("https://localhost./", "https:// and a host"),
    ("https://127.0.0.1./", "https:// and a host"),
    ("https://ex%61mple.com/", "https:// and a host"),
    ("https:/127.0.0.1/", "https:// and a host"),
    ("https:127.0.0.1", "https:// and a host"),
    ("//127.0.0.1/", "https:// and a host"),
    ("HTTPS://127.0.0.1/", "loopback"),
    ("https://127.0.0.1/", "loopback"),
    ("https://10.1.2.3/", "private"),
    ("https://172.31.0.1/", "private"),
    ("https://192.168.1.1/", "private"),
    ("https://169.254.169.254/latest/meta-data/", "link-local"),
    ("https://168.63.129.16/", "a service of the cloud"),
    ("https://100.100.100.200/", "shared"),
    ("https://0.0.0.0/", "this host"),
    ("https://192.0.0.192/", "reserved"),
    ("https://198.18.0.1/", "benchmarks"),
    ("https://203.0.113.1/", "documentation"),
    ("https://224.0.0.1/", "multicast"),
    ("https://255.255.255.255/", "reserved"),
    ("https://[::1]/", "loopback"),
    ("https://[::]/", "loopback"),
    ("https://[::ffff:127.0.0.1]/", "mapped"),
    ("https://[::ffff:a9fe:a9fe]/", "mapped"),
    ("https://[::ffff:0:127.0.0.1]/", "IPv4 address"),
    ("https://[::127.0.0.1]/", "IPv4 address"),
    ("https://[0:0:0:0:0:0:0:1]/", "loopback"),
    ("https://[fe80::1%25eth0]/", "https:// and a host"),
    ("https://[64:ff9b::7f00:1]/", "NAT64"),
    ("https://[64:ff9b:1::a00:1]/", "NAT64"),
    ("https://[2001::1]/", "Teredo"),
    ("https://[2002:7f00:1::]/", "6to4"),
    ("https://[2001:db8::1]/", "documentation"),
    ("https://[fd00:ec2::254]/", "private"),
    ("https://[fe80::1]/", "link-local"),
    ("https://[ff02::1]/", "multicast"),
    ("https://[fec0::1]/", "private"),
    ("https://[5f00::1]/", "reserved"),
]


@pytest.mark.parametrize(("url", "reason"), REFUSED_URLS)
def test_what_is_not_public_is_refused(url: str, reason: str) -> None:
    with pytest.raises(Refused, match=re.escape(reason)):
        parse(url)


def test_the_documented_table_is_this_one() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    tried = set(re.findall(r"^\| `([^`]+)` \| refused", page, re.M))
    assert tried and tried <= {url for url, _reason in REFUSED_URLS}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://EXAMPLE.com:443/a?b=c#d",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://xn--exmple-cua.com/",
    ],
)
def test_public_urls_are_allowed(url: str) -> None:
    assert parse(url).host and not parse(url).is_exempt


def test_the_site_may_allow_an_origin(settings: Any) -> None:
    settings.MONITIO_OUTGOING_ORIGINS = ["http://127.0.0.1:8000", "https://hooks.internal"]
    assert parse("http://127.0.0.1:8000/x").is_exempt
    assert parse("https://Hooks.internal:443/x").is_exempt
    for url in ("http://127.0.0.1:8001/", "https://127.0.0.1:8000/", "http://hooks.internal/"):
        with pytest.raises(Refused):
            parse(url)


class Resolver:
    """Replaces the resolver: ``addresses`` of each host; ``hosts`` lists the hosts looked up."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.hosts: list[str] = []

    def __call__(self, host: str, port: int, **kwargs: Any) -> list[Any]:
        self.hosts.append(host)
        found = self.addresses[host]
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (
                kinds[":" in one],
                socket.SOCK_STREAM,
                0,
                "",
                (one, port, 0, 0)[: 4 if ":" in one else 2],
            )
            for one in found
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(outbound.socket, "getaddrinfo", resolver)
    return resolver


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "017700000001", "0"),
        *("012.0.0.1", "0xa.1", "172.1048577", "192.168.1", "2852039166", "0xa9fea9fe"),
    ],
)
def test_other_names_of_what_is_not_public_are_refused(host: str) -> None:
    with pytest.raises((Refused, socket.gaierror)):
        post(f"https://{host}/", b"{}", {}, timeout=5)


def test_a_name_that_leads_elsewhere_at_the_second_look_up_is_not_looked_up_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, connected = ["1.1.1.1", "127.0.0.1"], []

    def look_up(host: str, port: int, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (answers.pop(0), port))]

    def connect(sock: Any, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(outbound.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ConnectionRefusedError):
        post("https://hooks.example/", b"{}", {}, timeout=5)
    assert connected == [("1.1.1.1", 443)]


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.5", "fe80::1%eth0", "::ffff:10.0.0.5"])
def test_a_host_with_an_address_that_is_not_public_is_refused(
    resolver: Resolver, inside: str
) -> None:
    resolver.addresses["hooks.example"] = ["1.1.1.1", inside]
    with pytest.raises(Refused, match="not public"):
        post("https://hooks.example/", b"{}", {}, timeout=5)


def test_the_reason_does_not_show_the_address(resolver: Resolver) -> None:
    resolver.addresses["hooks.example"] = ["10.0.0.5"]
    with pytest.raises(Refused) as refused:
        post("https://hooks.example/secret", b"{}", {}, timeout=5)
    assert "10.0.0.5" not in str(refused.value) and "secret" not in str(refused.value)


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts a server that calls ``respond(connection)`` for each connection; returns its port."""
    servers: list[socket.socket] = []

    def start(respond: Callable[[Any], Any], tls: ssl.SSLContext | None = None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                try:
                    with tls.wrap_socket(connection, server_side=True) if tls else connection as it:
                        respond(it)
                except OSError:
                    connection.close()

        threading.Thread(target=run, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        # Makes accept() return.
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def read_request(connection: Any) -> bytes:
    data = b""
    while not data.endswith(b"{}"):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("The client is gone.")
        data += more
    return data


def test_the_connection_goes_to_the_address_that_was_checked(
    resolver: Resolver,
    serve: Callable[..., int],
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls, trusted = certificate(tmp_path, "hooks.example")
    names: list[Any] = []
    tls.sni_callback = lambda sock, name, context: names.append(name)
    got: list[bytes] = []

    def respond(connection: Any) -> None:
        got.append(read_request(connection))
        connection.sendall(OK)

    port = serve(respond, tls)
    settings.MONITIO_OUTGOING_ORIGINS = [f"https://hooks.example:{port}"]
    resolver.addresses["hooks.example"] = ["127.0.0.1"]
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    outbound.tls_context.cache_clear()
    try:
        response = post(f"https://hooks.example:{port}/a?b", b"{}", {"x-y": "z"}, timeout=20)
    finally:
        outbound.tls_context.cache_clear()
    assert response.status == 200
    assert (resolver.hosts, names) == (["hooks.example"], ["hooks.example"])
    (request,) = got
    assert request.startswith(b"POST /a?b HTTP/1.1\r\n")
    assert f"Host: hooks.example:{port}\r\n".encode() in request and b"x-y: z" in request


def test_a_certificate_of_another_host_is_refused(
    resolver: Resolver, serve: Callable[..., int], tmp_path: Path, settings: Any
) -> None:
    tls, _trusted = certificate(tmp_path, "hooks.example")
    port = serve(read_request, tls)
    settings.MONITIO_OUTGOING_ORIGINS = [f"https://hooks.example:{port}"]
    resolver.addresses["hooks.example"] = ["127.0.0.1"]
    with pytest.raises(ssl.SSLCertVerificationError):
        post(f"https://hooks.example:{port}/", b"{}", {}, timeout=20)


@pytest.fixture
def allowed(serve: Callable[..., int], settings: Any) -> Callable[..., str]:
    """Starts a server on this machine that the site allows; returns its URL."""

    def start(respond: Callable[[Any], Any]) -> str:
        origin = f"http://127.0.0.1:{serve(respond)}"
        settings.MONITIO_OUTGOING_ORIGINS = [origin]
        return f"{origin}/"

    return start


def test_an_address_that_does_not_answer_is_skipped(
    resolver: Resolver, allowed: Callable[..., str], settings: Any
) -> None:
    url = allowed(lambda connection: (read_request(connection), connection.sendall(OK)))
    settings.MONITIO_OUTGOING_ORIGINS = [url.rstrip("/").replace("127.0.0.1", "two.example")]
    resolver.addresses["two.example"] = ["127.0.0.2", "127.0.0.1"]
    assert post(url.replace("127.0.0.1", "two.example"), b"{}", {}, timeout=20).status == 200


def test_a_redirect_is_not_followed(allowed: Callable[..., str]) -> None:
    requests: list[bytes] = []

    def respond(connection: Any) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nRetry-After: 7\r\n\r\n")

    response = post(allowed(respond), b"{}", {}, timeout=20)
    assert (response.status, response.retry_after, len(requests)) == (302, "7", 1)


def test_a_large_body_sent_slowly_is_not_read(allowed: Callable[..., str]) -> None:
    gone = threading.Event()

    def respond(connection: Any) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        # Returns when the client has disconnected.
        connection.recv(1)
        gone.set()

    assert post(allowed(respond), b"{}", {}, timeout=20).status == 200
    assert gone.wait(20)


def test_the_time_out_is_for_the_whole_request(allowed: Callable[..., str]) -> None:
    def respond(connection: Any) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        # Sends each byte within the time-out, until the client has disconnected.
        connection.settimeout(0.05)
        for _ in range(100):
            connection.sendall(b"X")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    with pytest.raises(TimeoutError):
        post(allowed(respond), b"{}", {}, timeout=0.5)


def test_a_look_up_that_hangs_costs_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *args, **kwargs: end.wait(60))
    try:
        with pytest.raises(TimeoutError):
            post("https://hooks.example/", b"{}", {}, timeout=0.1)
    finally:
        end.set()


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 " + b"9" * 70000])
def test_what_is_not_http_is_an_error(allowed: Callable[..., str], garbage: bytes) -> None:
    def respond(connection: Any) -> None:
        read_request(connection)
        connection.sendall(garbage)

    with pytest.raises(HTTPException):
        post(allowed(respond), b"{}", {}, timeout=20)


def test_headers_cannot_be_injected(allowed: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="Invalid header"):
        post(allowed(read_request), b"{}", {"webhook-id": "a\r\nb: c"}, timeout=20)


def test_a_closed_port_is_an_os_error(settings: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        origin = f"http://127.0.0.1:{server.getsockname()[1]}"
    settings.MONITIO_OUTGOING_ORIGINS = [origin]
    with pytest.raises(OSError, match="refused"):
        post(f"{origin}/", b"{}", {}, timeout=20)

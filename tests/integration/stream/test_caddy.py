"""Streams behind Caddy, with the configuration of examples/production."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stream.base import SETTINGS
from tests.integration.stream.servers import Server
from tests.support.peers import ROOT, Peer
from tests.support.servers.ports import free_port, is_listening
from tests.support.waiting import wait_until

# `make test` does not install it: Debian's package starts a server on port 80.
CADDY = shutil.which("caddy")
EXAMPLE = ROOT / "examples/production/Caddyfile"
pytestmark = [
    pytest.mark.variant,
    pytest.mark.skipif(CADDY is None, reason="Caddy is missing: apt-get install caddy"),
]


@pytest.fixture
def server(
    site: Peer, database: str, transport: dict[str, str], tmp_path: Path
) -> Iterator[Server]:
    server = Server("uvicorn-endpoint", database, **SETTINGS, **transport)
    port = free_port()
    config = EXAMPLE.read_text()
    for old, new in {
        "\ncontacts.example.com {": f"\n{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{",
        "unix//run/contacts/site.sock": f"127.0.0.1:{server.port}",
    }.items():
        assert old in config, f"{old} is no longer in the example"
        config = config.replace(old, new)
    (tmp_path / "Caddyfile").write_text(config)
    with (tmp_path / "log").open("wb") as log:
        caddy = subprocess.Popen(
            [str(CADDY), "run", "--adapter", "caddyfile", "--config", "Caddyfile"],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        wait_until(lambda: is_listening(port), message=(tmp_path / "log").read_text)
        server.public_port = port
        yield server
    finally:
        caddy.terminate()
        caddy.wait(120)
        server.close()


def test_the_example_is_valid(tmp_path: Path) -> None:
    command = [str(CADDY), "validate", "--adapter", "caddyfile", "--config", str(EXAMPLE)]
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_stream_is_live_uncompressed_and_stopped_by_its_client(
    server: Server, site: Peer
) -> None:
    browser = site.sign_in("ann")
    site.write(browser["key"], "before")
    with server.stream(browser, headers={"Accept-Encoding": "gzip"}) as stream:
        assert stream.headers["Content-Encoding"] == "identity"
        assert [one["body"] for one in stream.wait_for("snapshot")["messages"]] == ["before"]
        site.write(browser["key"], "live")
        stream.wait_until_it_shows("before", "live")
    wait_until(lambda: server.open_streams() == 0, message="the stream has ended")

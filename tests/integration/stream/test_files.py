"""Downloads of large files: a server's memory stays flat, or nginx sends the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import missing
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.nginx import Nginx
from tests.support.servers.ports import free_port
from tests.support.waiting import wait_until

SIZE, GIGABYTE = 2**27, 2**30
# Bytes by which the server's memory may grow for any file size.
MEMORY = 60 * 2**20
# Bytes after which the client measures the server's memory.
STEP = 2**23


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer("tests.integration.stream.process", f"sqlite://{tmp_path}/site.sqlite3")
    peer.migrate()
    yield peer
    peer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The storage's folder, with a large sparse file."""
    folder = tmp_path / "files"
    folder.mkdir()
    with (folder / "large.bin").open("wb") as file:
        file.truncate(SIZE)
    return folder


def storages_in(folder: Path) -> dict[str, Any]:
    local = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(folder)},
    }
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return {"default": local, "staticfiles": static, "monitio": local}


def serve(kind: str, tmp_path: Path, folder: Path, **settings: Any) -> Server:
    database = f"sqlite://{tmp_path}/site.sqlite3"
    return Server(kind, database, STORAGES=storages_in(folder), **settings)


def download(server: Server, port: int, path: str, browser: dict[str, str]) -> tuple[int, int]:
    """The number of bytes received, and the largest memory of the server and its workers."""
    url, headers = f"http://127.0.0.1:{port}{path}", {"Cookie": browser["cookie"]}
    size, most, measured = 0, 0, 0
    with httpx.stream("GET", url, headers=headers, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-disposition"] == 'attachment; filename="large.bin"'
        for piece in response.iter_raw():
            size += len(piece)
            if size >= measured:
                most, measured = max(most, memory_of(server)), size + STEP
    return size, most


def memory_of(server: Server) -> int:
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("uvicorn", SIZE),
        ("gthread", SIZE),
        *(
            pytest.param(kind, GIGABYTE, marks=pytest.mark.variant)
            for kind in ("uvicorn", "daphne", "gthread", "waitress")
        ),
    ],
)
def test_a_large_file_goes_through_flat_memory(
    site: Peer, folder: Path, tmp_path: Path, kind: str, size: int
) -> None:
    os.truncate(folder / "large.bin", size)
    browser = site.sign_in("ann")
    path = site.attach(browser["key"], "large.bin", size)
    server = serve(kind, tmp_path, folder)
    try:
        server.get("/login/")
        before = memory_of(server)
        received, most = download(server, server.port, path, browser)
        assert (received, most - before < MEMORY) == (size, True), most - before
    finally:
        server.close()


def test_nginx_sends_it_in_place_of_the_site(site: Peer, folder: Path, tmp_path: Path) -> None:
    if not Nginx.is_installed():
        missing("nginx is missing: apt-get install nginx-light")
    browser = site.sign_in("ann")
    path = site.attach(browser["key"], "large.bin", SIZE)
    server = serve("uvicorn", tmp_path, folder, MONITIO_FILES_X_ACCEL="/private/")
    port = free_port()
    nginx = Nginx(
        f"""server {{
            listen 127.0.0.1:{port};
            location / {{ proxy_pass http://127.0.0.1:{server.port}; }}
            location /private/ {{ internal; alias {folder}/; }}
        }}""",
        port,
    )
    try:
        nginx.start()
        assert download(server, port, path, browser)[0] == SIZE
        # The files are reachable only through the site's response.
        for closed in ("/private/large.bin", path):
            answer = httpx.get(f"http://127.0.0.1:{port}{closed}", timeout=60)
            assert answer.status_code == 404
    finally:
        nginx.close()
        server.close()


def test_what_a_killed_process_has_half_written_is_pruned(tmp_path: Path) -> None:
    folder, database = tmp_path / "files", f"sqlite://{tmp_path}/site.sqlite3"
    peers = [
        Peer("tests.integration.stream.process", database, STORAGES=storages_in(folder))
        for _ in range(2)
    ]
    killed, other = peers
    try:
        other.migrate()
        killed.begin("attach_half", other.sign_in("ann")["key"])
        wait_until(lambda: list(folder.rglob("half.bin")), 60)
        killed.process.kill()
        killed.process.wait()
        assert (other.prune(0), other.prune(4)) == (0, 1)
        assert [path for path in folder.rglob("*") if path.is_file()] == []
    finally:
        for peer in peers:
            peer.close()

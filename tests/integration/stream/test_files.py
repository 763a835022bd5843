"""A large file goes through a real server in flat memory, and through nginx without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import missing
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.nginx import Nginx
from tests.support.servers.ports import free_port

SIZE = 2**27
# Bytes by which the process may grow. With a gigabyte it is the same.
MEMORY = 60 * 2**20


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer("tests.integration.stream.process", f"sqlite://{tmp_path}/site.sqlite3")
    peer.migrate()
    yield peer
    peer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The storage, with a large file full of holes."""
    folder = tmp_path / "files"
    folder.mkdir()
    with (folder / "large.bin").open("wb") as file:
        file.truncate(SIZE)
    return folder


def serve(kind: str, tmp_path: Path, folder: Path, **settings: Any) -> Server:
    local = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(folder)},
    }
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    storages = {"default": local, "staticfiles": static, "monitio": local}
    database = f"sqlite://{tmp_path}/site.sqlite3"
    return Server(kind, database, STORAGES=storages, **settings)


def size_of_download(port: int, path: str, browser: dict[str, str]) -> int:
    url, headers = f"http://127.0.0.1:{port}{path}", {"Cookie": browser["cookie"]}
    with httpx.stream("GET", url, headers=headers, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-disposition"] == 'attachment; filename="large.bin"'
        return sum(map(len, response.iter_raw()))


def test_a_large_file_goes_through_flat_memory(site: Peer, folder: Path, tmp_path: Path) -> None:
    browser = site.sign_in("ann")
    path = site.attach(browser["key"], "large.bin", SIZE)
    server = serve("uvicorn", tmp_path, folder)
    try:
        server.get("/login/")
        before = server.memory()
        assert size_of_download(server.port, path, browser) == SIZE
        assert server.memory() - before < MEMORY
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
        assert size_of_download(port, path, browser) == SIZE
        # Nobody gets there but by the site's answer.
        assert httpx.get(f"http://127.0.0.1:{port}/private/large.bin").status_code == 404
        assert httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 404
    finally:
        nginx.close()
        server.close()

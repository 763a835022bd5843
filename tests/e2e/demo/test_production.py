"""Every line of the production example's Procfile, as a platform starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "production"
LINES = dict(line.split(": ", 1) for line in (EXAMPLE / "Procfile").read_text().splitlines())


class Platform:
    """Starts lines in a shell, with what the platform's owner has configured."""

    def __init__(self, folder: Path, postgres: Postgres, valkey: Valkey) -> None:
        self.folder, self.port = folder, free_port()
        postgres.database("production")
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "secret",
            "ALLOWED_HOSTS": "contacts.example.com",
            "POSTGRES_DB": "production",
            "POSTGRES_USER": "postgres",
            "POSTGRES_HOST": postgres.socket_folder,
            "BROKER_URL": valkey.url,
            "MONITIO_REDIS_URL": valkey.url,
        }
        self.environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            **environment,
        }
        self.stack = ExitStack()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                f"exec {LINES[name]}",
                shell=True,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stack.callback(self._stop, process)
        return process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def wait_for(self, name: str, text: str) -> str:
        """What the process of this line has written, once it has written ``text``."""
        log = self.log(name)
        wait_until(lambda: text in log.read_text(), 60, log.read_text)
        return log.read_text()

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    continue


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres, valkey_server: Valkey
) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("platform"), postgres_server, valkey_server)
    with platform.stack:
        release = platform.start("release")
        assert release.wait(120) == 0, platform.log("release").read_text()
        yield platform


def test_every_line_is_started_by_a_test() -> None:
    assert LINES.keys() == {"web", "worker", "beat", "release"}


def test_the_site_answers(platform: Platform) -> None:
    platform.start("web")
    platform.wait_for("web", "Uvicorn running")
    headers = {"Host": "contacts.example.com", "X-Forwarded-Proto": "https"}
    answer = httpx.get(f"http://127.0.0.1:{platform.port}/", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(("name", "text"), [("worker", " ready."), ("beat", "beat: Starting...")])
def test_worker_and_beat_use_the_broker_of_production(
    name: str, text: str, platform: Platform
) -> None:
    platform.start(name)
    written = platform.wait_for(name, text)
    assert urlsplit(platform.environment["BROKER_URL"]).netloc in written
    if name == "worker":
        # It has the site's tasks, and monitio's own.
        assert "monitio_celery.tasks.deliver" in written
        assert "examples.demo.contacts.tasks" in written


@pytest.mark.parametrize("line", ["worker", "beat"])
def test_systemd_starts_the_same_app(line: str) -> None:
    unit = (EXAMPLE / f"monitio-{line}.service").read_text()
    found: Any = re.search(r"celery (-A \S+)", unit)
    assert found and found[1] in LINES[line]

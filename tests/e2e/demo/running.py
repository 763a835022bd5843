"""A demo as a process, and an HTTP client that acts as a visitor's browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.servers.ports import ShortFolder, free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
URL = re.compile(r"The demo: (http://\S+/)")


class Demo:
    """The launcher as a process, with its own files and on a free port."""

    def __init__(self, **environment: str) -> None:
        self.folder = ShortFolder("demo-")
        self.output = self.folder.path / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "examples.demo"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DEMO_VAR": str(self.folder.path / "var"),
                    "DEMO_PORT": str(free_port()),
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                # As in a terminal, where Ctrl-C reaches only this group.
                start_new_session=True,
            )

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_it_runs(self) -> str:
        """Its address, once it has printed that it is ready."""
        wait_until(
            lambda: "Ctrl-C" in self.printed() or self.process.poll() is not None, 120, self.printed
        )
        found = URL.search(self.printed())
        assert found, self.printed()
        return found[1]

    def family(self) -> list[psutil.Process]:
        """The launcher and every process below it."""
        launcher = psutil.Process(self.process.pid)
        return [launcher, *launcher.children(recursive=True)]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)
        self.folder.remove()


class Visitor:
    """A visitor of the demo, with their own browser."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.browser = httpx.Client(
            base_url=url,
            headers={"Accept": "application/json", "Accept-Language": language},
            # The default of httpx, five seconds, is too short for a busy machine.
            timeout=60,
        )
        self.browser.get("/")

    def post(self, path: str, **options: Any) -> httpx.Response:
        token = {"X-CSRFToken": self.browser.cookies["csrftoken"]}
        return self.browser.post(path, headers=token, **options)

    def get(self, path: str) -> httpx.Response:
        return self.browser.get(path)

    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/messages/json/").json()["messages"]
        return found

    def follow(self, path: str, **options: Any) -> dict[str, Any]:
        """Start a task; returns the newest message once the task has ended."""
        known = {message["id"] for message in self.messages()}
        answer = self.post(path, **options)
        assert answer.status_code == 200, answer.text

        def ended() -> dict[str, Any] | None:
            return next(
                (
                    message
                    for message in self.messages()
                    if message["id"] not in known
                    and message["job"]["state"] in ("succeeded", "failed")
                ),
                None,
            )

        wait_until(ended, 120, "the end of the task")
        # Read it again: a snapshot reads messages before their jobs, so the first snapshot with the
        # ended job may still have the texts of the running one.
        message = ended()
        assert message is not None
        return message

    def file(self, message: dict[str, Any]) -> httpx.Response:
        """The file that a message offers."""
        (file,) = message["job"]["files"]
        return self.get(f"/messages/file/{message['id']}/{file['id']}/")

    def upload(self, content: bytes, name: str = "mine.csv") -> dict[str, Any]:
        return self.follow("/import/", files={"file": (name, content, "text/csv")})

    def close(self) -> None:
        self.browser.close()

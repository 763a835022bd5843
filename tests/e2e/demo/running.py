"""A demo as a process, and what a visitor's browser says to it."""

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
    """The launcher as a process, with files of its own and on a free port."""

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
                # As a terminal does: Ctrl-C reaches this group alone.
                start_new_session=True,
            )

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_it_runs(self) -> str:
        """Its address, once it says that it is ready."""
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
    """Somebody who came to the demo in a browser of their own."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.browser = httpx.Client(
            base_url=url,
            headers={"Accept": "application/json", "Accept-Language": language},
            # Five seconds, httpx's own, are few for a machine that runs other tests.
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
        """Start a task; the newest message once the task has ended."""
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
        # Read again: a snapshot reads messages before their jobs, so the one that first shows the
        # end may still have the texts of a running task.
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

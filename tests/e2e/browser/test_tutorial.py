"""Every step of docs/tutorial.md, with a worker and a browser.

Two things differ: the tests' environment replaces the one that the page creates, and
servers listen on free ports.
"""

from __future__ import annotations

import email
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser.tutorial import Command, File, steps
from tests.support.peers import ROOT
from tests.support.servers.ports import free_port
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

PAGE = ROOT / "docs" / "tutorial.md"
PROGRAMS = {
    "django-admin": [sys.executable, "-m", "django"],
    "python": [sys.executable],
    "celery": [sys.executable, "-m", "celery"],
}
# Commands that create the environment.
ENVIRONMENT = ("python3", ".", "pip")


class Reader:
    """Runs the steps of the page in its own folder."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.addresses = {"127.0.0.1:6379": broker, "127.0.0.1:8000": self.address}
        self.steps = list(steps(PAGE))
        self.running: dict[str, tuple[subprocess.Popen[bytes], list[str]]] = {}

    def follow(self, *sections: str) -> None:
        for heading, step in self.steps:
            if heading.startswith(sections):
                if isinstance(step, File):
                    self.write(step)
                else:
                    self.run(step)

    def write(self, file: File) -> None:
        path = self.folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if file.at_end else "w") as opened:
            opened.write(f"\n{self._here(file.text)}")

    def run(self, command: Command) -> None:
        if command.words[0] in ENVIRONMENT:
            return
        words = [self._here(word) for word in command.words]
        line = [*PROGRAMS[words[0]], *words[1:]]
        if words[0] == "celery" or "runserver" in words:
            self.start("worker" if words[0] == "celery" else "site", line)
            return
        done = subprocess.run(
            line,
            cwd=self.folder,
            env=self._environment(command.environment),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str, line: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                line,
                cwd=self.folder,
                env=self._environment({}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = process, line
        ready = "ready." if name == "worker" else "Quit the server"
        wait_until(lambda: ready in self.log(name), 60, lambda: self.log(name))

    def restart(self, name: str) -> None:
        _process, line = self.running[name]
        self.stop(name)
        (self.folder / f"{name}.log").write_text("")
        self.start(name, line)

    def stop(self, name: str) -> None:
        process, _line = self.running.pop(name)
        # Ctrl-C; runserver ignores it while it restarts after a file has changed.
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(120)

    def close(self) -> None:
        for name in list(self.running):
            self.stop(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def mails(self) -> list[str]:
        return [path.read_text() for path in (self.folder / "mails").glob("*.log")]

    def _here(self, text: str) -> str:
        for written, used in self.addresses.items():
            text = text.replace(written, used)
        return text

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")}
        return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    valkey = Valkey()
    valkey.start()
    reader = Reader(tmp_path, f"127.0.0.1:{valkey.port}")
    try:
        yield reader
    finally:
        reader.close()
        valkey.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-US")
    yield context
    context.close()


@pytest.mark.walk
def test_a_newcomer_gets_a_pop_up_a_download_and_an_email(
    reader: Reader, context: BrowserContext
) -> None:
    tutorial = PAGE.read_text()
    for text in ("Sales report: done", "30 days are in it.", "Download sales.csv"):
        assert text in tutorial
    reader.follow("1.", "2.", "3.", "4.", "5.")
    page = context.new_page()
    page.goto(f"http://{reader.address}/")
    make_report = page.get_by_role("button", name="Make the report")
    pop_up = page.locator("[part~=toast]").first
    make_report.click()
    expect(pop_up.get_by_role("progressbar")).to_be_visible()
    page.reload()
    expect(pop_up).to_contain_text("30 days are in it.")

    reader.follow("6.")
    reader.restart("worker")
    page.reload()
    make_report.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download sales.csv").first.click()
    assert download.value.path().read_text().startswith("0,0\n1,17\n")

    reader.follow("7.")
    reader.restart("worker")
    reader.restart("site")
    page.goto(f"http://{reader.address}/admin/")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"http://{reader.address}/")
    make_report.click()
    expect(pop_up).to_be_visible()
    page.close()
    wait_until(reader.mails, 60, lambda: reader.log("worker"))
    (mail,) = reader.mails()
    message = email.message_from_string(mail)
    assert message["To"] == "ann@example.com"
    assert "Sales report: done" in str(message["Subject"])
    assert f"http://{reader.address}/messages/file/" in mail.replace("=\n", "")

    reader.follow("If nothing happens")

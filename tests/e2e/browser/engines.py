"""Browsers other than Chromium for the conformance tests: load a page, run a script, open a tab.

Firefox is driven by WebDriver BiDi; WebKitGTK by its driver and Selenium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from selenium import webdriver
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service
from websocket import WebSocket, create_connection

from tests.conftest import missing
from tests.support.servers.ports import free_port
from tests.support.waiting import wait_until

DEADLINE = 60.0
# Debian's path of the browser that the driver starts.
MINI_BROWSERS = "lib/*/webkit2gtk-4.*/MiniBrowser"
# Its toolbar prevents a narrower window.
MINI_BROWSER_WIDTH = 447


class Engine(Protocol):
    """One window. ``run`` evaluates an expression in the current tab and awaits its promise; the
    answer is JSON.
    """

    name: str

    def go(self, url: str) -> None: ...

    def run(self, expression: str) -> Any: ...

    def open_tab(self) -> Any: ...

    def switch_to(self, tab: Any) -> None: ...

    def resize(self, width: int, height: int) -> None:
        """Set the viewport of the current tab, in CSS pixels."""

    def close_tabs(self) -> None:
        """Close all tabs but one, which is empty then."""

    def close(self) -> None: ...


class Firefox:
    name = "Firefox"

    def __init__(self, **preferences: bool | int | str) -> None:
        path = shutil.which("firefox-esr") or shutil.which("firefox")
        if path is None:
            missing("Firefox is missing: apt-get install firefox-esr")
        self._profile = tempfile.TemporaryDirectory(prefix="monitio-firefox-")
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in preferences.items()
        ]
        Path(self._profile.name, "user.js").write_text("".join(lines))
        self._process = subprocess.Popen(
            [path, "--headless", "--no-remote", "--profile", self._profile.name,
             "--remote-debugging-port", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        try:
            self._socket = self._connect()
            self.version = self._ask("session.new", capabilities={})["capabilities"][
                "browserVersion"
            ]
            self._tab = self._tabs()[0]
        except BaseException:
            self._end()
            raise

    def _connect(self) -> WebSocket:
        """Connect to the port that Firefox writes into its profile."""
        file = Path(self._profile.name, "WebDriverBiDiServer.json")
        wait_until(lambda: file.exists() and file.read_text().endswith("}"), DEADLINE, "Firefox")
        where = json.loads(file.read_text())
        url = f"ws://{where['ws_host']}:{where['ws_port']}/session"
        return create_connection(url, timeout=DEADLINE, suppress_origin=True)

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def _tabs(self) -> list[str]:
        return [one["context"] for one in self._ask("browsingContext.getTree")["contexts"]]

    def go(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def run(self, expression: str) -> Any:
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        text = answer["result"].get("value")
        return None if text is None else json.loads(text)

    def open_tab(self) -> str:
        self._tab = self._ask("browsingContext.create", type="tab")["context"]
        return self._tab

    def switch_to(self, tab: str) -> None:
        self._ask("browsingContext.activate", context=tab)
        self._tab = tab

    def resize(self, width: int, height: int) -> None:
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=viewport)

    def close_tabs(self) -> None:
        old = self._tabs()
        self.open_tab()
        for tab in old:
            self._ask("browsingContext.close", context=tab)

    def close(self) -> None:
        self._ask("session.end")
        self._socket.close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._profile.cleanup()


class WebKitGTK:
    name = "WebKitGTK"

    def __init__(self) -> None:
        driver, screen = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
        browsers = sorted(Path("/usr").glob(MINI_BROWSERS))
        if not (driver and screen and browsers):
            missing("WebKitGTK is missing: apt-get install webkit2gtk-driver xvfb")
        self._screen, display = self._open_screen()
        options = Options()
        options.binary_location = str(browsers[-1])
        options.add_argument("--automation")
        # The virtual screen has no graphics card.
        env = {**os.environ, "DISPLAY": display, "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
        self._service = Service(driver, port=free_port(), env=env)
        try:
            self._service.start()
            self._driver = webdriver.Remote(self._connection(), options=options)
        except BaseException:
            self._close_screen()
            raise
        self.version = self._driver.capabilities["browserVersion"]

    def _connection(self) -> RemoteConnection:
        return RemoteConnection(client_config=ClientConfig(self._service.service_url, timeout=60))

    def _open_screen(self) -> tuple[subprocess.Popen[bytes], str]:
        """Start a virtual screen; returns its process and display number."""
        reader, writer = os.pipe()
        command = [
            "Xvfb",
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            "1600x1100x24",
            "-nolisten",
            "tcp",
        ]
        process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as output:
            return process, f":{output.readline().strip()}"

    def go(self, url: str) -> None:
        self._driver.get(url)

    def run(self, expression: str) -> Any:
        return self._driver.execute_script(f"return ({expression});")

    def open_tab(self) -> str:
        self._driver.switch_to.new_window("tab")
        return self._driver.current_window_handle

    def switch_to(self, tab: str) -> None:
        self._driver.switch_to.window(tab)

    def resize(self, width: int, height: int) -> None:
        toolbar = self.run("outerHeight - innerHeight")
        self._driver.set_window_rect(0, 0, width, height + toolbar)
        wanted = [max(width, MINI_BROWSER_WIDTH), height]
        wait_until(lambda: self.run("[innerWidth, innerHeight]") == wanted, DEADLINE, "the size")

    def close_tabs(self) -> None:
        old = self._driver.window_handles
        new = self.open_tab()
        for tab in old:
            self._driver.switch_to.window(tab)
            self._driver.close()
        self._driver.switch_to.window(new)

    def close(self) -> None:
        self._driver.quit()
        self._close_screen()

    def _close_screen(self) -> None:
        self._service.stop()
        self._screen.terminate()
        self._screen.wait(60)


ENGINES = (Firefox, WebKitGTK)

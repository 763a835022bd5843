"""The three steps of docs/react.md: a page with Vite and React, and two other live clients.

The page uses a cookie and Vite's proxy, in React's StrictMode; a script in Node has a
token; a page of another origin has monitio's own elements, and a token.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect

from tests.conftest import missing, needs_packages
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.http import serving
from tests.support.servers.ports import free_port, is_listening
from tests.support.tokens import token_of
from tests.support.waiting import wait_until
from tests.unit.test_docs_code import ROOT, blocks
from tools import package

MODULES = ROOT / "node_modules"
# The files of `npm create vite` that matter here.
TEMPLATE = {
    "package.json": '{"type": "module"}',
    "index.html": '<html lang="en"><title>Shop</title><div id="root"></div>'
    '<script type="module" src="/src/main.jsx"></script></html>',
    "src/main.jsx": """
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import App from "./App.jsx";
createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
""",
}
CLIENT = """
import { createMonitio } from "monitio";
const monitio = createMonitio(JSON.parse(process.argv[2]));
const print = () => console.log(JSON.stringify(monitio.getSnapshot()));
monitio.subscribe(print);
"""
ELSEWHERE = """<html lang="en"><title>Elsewhere</title><link rel="stylesheet" href="/monitio.css">
<script type="module">
import { FetchEventSource } from "/index.js";
import { monitio } from "/monitio.js";
const options = JSON.parse(decodeURIComponent(location.hash.slice(1)));
await monitio.configure({ ...options, EventSourceClass: FetchEventSource });
document.body.append(document.createElement("monitio-bell"),
  document.createElement("monitio-messages"));
</script>"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def running(*command: str, cwd: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=cwd, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=120)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the three steps."""
    needs_packages()
    if not (MODULES / "vite").exists():
        missing("Vite is missing: run `npm ci` (Node 20.19 or newer)")
    shop = tmp_path_factory.mktemp("shop")
    write(shop, TEMPLATE)
    for name in ("vite", "react", "react-dom", "@vitejs"):
        (shop / "node_modules").mkdir(exist_ok=True)
        (shop / "node_modules" / name).symlink_to(MODULES / name)
    package.build(shop / "node_modules" / "monitio")
    manual = ROOT / "docs" / "react.md"
    write(
        shop,
        {
            "vite.config.js": next(text for _, text in blocks("js", manual) if "proxy" in text),
            "src/App.jsx": next(text for _, text in blocks("jsx", manual)),
            "client.mjs": CLIENT,
        },
    )
    write(shop / "node_modules" / "monitio", {"page.html": ELSEWHERE})
    return shop


@pytest.fixture(scope="module")
def origin(shop: Path) -> Iterator[str]:
    """Another origin, with the files of the package."""
    folder = str(shop / "node_modules" / "monitio")

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=folder)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Files) as origin:
        yield origin


@pytest.fixture(scope="module")
def server(origin: str, database: str, site: Peer) -> Iterator[Server]:
    settings = {
        "MONITIO_AUTHENTICATION": ["tests.support.tokens.authenticate"],
        "MONITIO_STREAM_RECHECK": 1,
        "INSTALLED_APPS": [*django_settings.INSTALLED_APPS, "corsheaders"],
        "MIDDLEWARE": ["corsheaders.middleware.CorsMiddleware", *django_settings.MIDDLEWARE],
        "CORS_ALLOWED_ORIGINS": [origin],
    }
    with closing(Server("endpoint", database, **settings)) as server:
        yield server


@pytest.fixture(scope="module")
def vite(shop: Path, server: Server) -> Iterator[str]:
    """The address of Vite's development server."""
    config = shop / "vite.config.js"
    text = config.read_text(encoding="utf-8")
    assert "http://127.0.0.1:8000" in text
    config.write_text(text.replace(":8000", f":{server.port}"), encoding="utf-8")
    port = free_port()
    command = ("node", "node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--strictPort")
    with running(*command, "--port", str(port), cwd=shop, stdout=subprocess.DEVNULL):
        wait_until(lambda: is_listening(port), 60, "Vite listens")
        yield f"http://127.0.0.1:{port}"


class TokenClient:
    """A script in Node, and the last state it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.state: dict[str, Any] = {}
        self._output: Any = process.stdout
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._output:
            self.state = json.loads(line)

    @property
    def titles(self) -> list[str]:
        return [message["body"] for message in self.state.get("messages", [])]


def test_three_kinds_of_clients_are_live_at_once(
    browser: Browser, shop: Path, origin: str, site: Peer, server: Server, vite: str
) -> None:
    who = site.sign_in("ann")
    address = f"http://127.0.0.1:{server.port}/messages/"
    token = token_of(who["key"].partition(":")[2])
    options = json.dumps({"url": address, "headers": {"Authorization": f"Bearer {token}"}})
    with ExitStack() as stack:
        # The page of the three steps, in its user's session.
        context = stack.enter_context(closing(browser.new_context(locale="en-GB")))
        name, _, value = who["cookie"].partition("=")
        context.add_cookies([{"name": name, "value": value, "url": vite}])
        react: Page = context.new_page()
        react.goto(vite)
        # A page of another origin, without cookies.
        elsewhere: Page = stack.enter_context(closing(browser.new_context())).new_page()
        elsewhere.goto(f"{origin}/page.html#{options}")
        process = stack.enter_context(
            running("node", "client.mjs", options, cwd=shop, stdout=subprocess.PIPE)
        )
        client = TokenClient(process)
        # StrictMode has mounted the component twice.
        wait_until(lambda: server.open_streams() == 3, 60, lambda: str(server.open_streams()))

        site.write(who["key"], "For all three")
        expect(react.locator("li")).to_have_text(["For all three"])
        expect(react.locator("h1")).to_have_text("Notifications (1)")
        expect(elsewhere.locator("monitio-messages li[data-id]")).to_contain_text("For all three")
        wait_until(lambda: client.titles == ["For all three"], 60, lambda: str(client.state))
        # A second tab shares the stream of the first one.
        tab = context.new_page()
        tab.goto(vite)
        expect(tab.locator("li")).to_have_text(["For all three"])
        expect(tab.locator("h1")).to_have_text("Notifications (1)")
        assert server.open_streams() == 3
        take_screenshots(react=react, elsewhere=elsewhere)

        react.get_by_role("button", name="Mark all as read").click()
        expect(react.locator("h1")).to_have_text("Notifications (0)")
        wait_until(lambda: client.state["unread"] == 0, 60, lambda: str(client.state))
        expect(elsewhere.locator("monitio-bell .badge")).to_be_hidden()
        expect(tab.locator("h1")).to_have_text("Notifications (0)")

        # Deactivating the account ends the streams of its token and session.
        site.change_account("ann", "deactivated in bulk")
        wait_until(lambda: client.state["connection"] == "stopped", 60, lambda: str(client.state))
        wait_until(lambda: server.open_streams() == 0, 60, lambda: str(server.open_streams()))


def take_screenshots(**pages: Page) -> None:
    """Save them for the docs in the folder that MONITIO_TEST_SCREENSHOTS names, if it is set."""
    folder = os.environ.get("MONITIO_TEST_SCREENSHOTS")
    for name, page in pages.items() if folder else ():
        page.set_viewport_size({"width": 640, "height": 280})
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.variant
def test_a_build_for_production_holds_the_store_alone(shop: Path) -> None:
    command = ["node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "error"]
    subprocess.run(command, cwd=shop, check=True, timeout=240)
    (script,) = (shop / "dist" / "assets").glob("*.js")
    text = script.read_text(encoding="utf-8")
    assert "useSyncExternalStore" in text and "monitio-bell" not in text
    assert not re.search(r"127\.0\.0\.1|stream-url", text)

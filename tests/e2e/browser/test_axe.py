"""axe-core reports no violation in any theme, mode and scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

from monitio.stream.broadcaster import get_broadcaster
from tests.conftest import needs_packages
from tests.e2e.browser.conftest import TIMEOUT
from tests.e2e.browser.scenes import MODES, PACKAGES, SCENES, THEMES, as_it_comes, dressed, fill
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

# On Django's admin pages only monitio's elements are examined.
OURS = ["monitio-messages", "monitio-bell"]
EXAMINE = """async (only) => {
  const { violations } = await axe.run(only ? { include: only } : document);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.flat().join(" ")}: ${node.failureSummary}`));
}"""


@pytest.fixture(params=THEMES, ids=lambda theme: theme or "default")
def theme(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    needs_packages()
    for name, value in dressed(request.param).items():
        setattr(settings, name, value)
    yield request.param
    get_broadcaster().stop()


@pytest.fixture
def page(browser: Browser, live_server: Any, theme: str) -> Iterator[Page]:
    """A page for a staff user with one message of each kind."""
    ann = user(is_staff=True, is_superuser=True)
    fill(ann, user("bob"))
    client = Client()
    client.force_login(ann)
    # Without transitions: a pop-up that appears is half transparent.
    context = browser.new_context(base_url=live_server.url, locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])  # type: ignore[list-item]
    page = context.new_page()
    page.add_init_script(path=PACKAGES / "axe-core/axe.min.js")
    yield page
    context.close()


def examine(page: Page, only: list[str] | None = None) -> list[str]:
    found: list[str] = page.evaluate(EXAMINE, only)
    return found


@pytest.mark.parametrize("scene", SCENES)
def test_axe_reports_no_violation(page: Page, theme: str, scene: str) -> None:
    SCENES[scene](page, theme)
    found = {}
    for mode, switch in MODES.items():
        as_it_comes(page)
        switch(page)
        found[mode] = examine(page, OURS if "/admin/" in page.url else None)
    assert found == {mode: [] for mode in MODES}


@pytest.mark.parametrize("theme", [""], indirect=True)
def test_axe_reports_low_contrast(page: Page, theme: str) -> None:
    SCENES["toasts"](page, theme)
    page.add_style_tag(content="monitio-messages::part(toast) { color: #888; background: #999 }")
    assert any("color-contrast" in one for one in examine(page, OURS))

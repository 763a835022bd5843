"""Themes: the style sheets of a page, and the bell in the admin."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client

import monitio
from monitio import api
from monitio.views.themes import BUILT_IN, stylesheet
from tests.support.people import request_of, user

pytestmark = pytest.mark.django_db
STATIC = Path(monitio.__file__).parent / "static" / "monitio"
TOKENS = re.compile(r"--monitio-[a-z-]+")


def page(source: str) -> str:
    context = Context({"request": request_of(user())})
    return str(Template("{% load monitio %}" + source).render(context))


def sheets(html: str) -> list[str]:
    return re.findall(r'<link rel="stylesheet" href="/static/([^"]+)"', html)


def test_by_default_there_is_no_further_style_sheet() -> None:
    assert sheets(page("{% monitio %}")) == ["monitio/monitio.css"]


def test_the_setting_chooses_for_the_whole_site(settings: Any) -> None:
    settings.MONITIO_THEME = "bootstrap5"
    assert sheets(page("{% monitio %}"))[1:] == ["monitio/themes/bootstrap5.css"]


def test_the_tag_chooses_for_one_page(settings: Any) -> None:
    settings.MONITIO_THEME = "bootstrap5"
    assert sheets(page('{% monitio theme="" %}')) == ["monitio/monitio.css"]


def test_a_path_is_a_style_sheet_of_the_site() -> None:
    assert sheets(page('{% monitio theme="shop/look.css" %}'))[1:] == ["shop/look.css"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ImproperlyConfigured, match="bootstrap5"):
        stylesheet("bootstrap")


@pytest.mark.parametrize("theme", BUILT_IN)
class TestBuiltIn:
    def text(self, theme: str) -> str:
        return Path(str(finders.find(stylesheet(theme)))).read_text()

    def test_it_is_at_most_half_a_kilobyte(self, theme: str) -> None:
        assert len(gzip.compress(self.text(theme).encode(), 9)) <= 512

    def test_it_sets_only_documented_properties(self, theme: str) -> None:
        # The script composes the names of the levels.
        levels = {
            f"--monitio-{level}{suffix}"
            for level in ("debug", "info", "success", "warning", "error")
            for suffix in ("", "-bg", "-fg")
        }
        asked = set(TOKENS.findall((STATIC / "monitio.css").read_text()))
        asked |= set(TOKENS.findall((STATIC / "monitio.js").read_text()))
        assert set(TOKENS.findall(self.text(theme))) <= asked | levels


class TestAdmin:
    @pytest.fixture
    def plain(self, settings: Any, tmp_path: Path) -> Client:
        """A client of a staff user on a site with a changed admin title."""
        (tmp_path / "admin").mkdir()
        own = '{% extends "admin/base_site.html" %}{% block nav-global %}Our shop{% endblock %}'
        (tmp_path / "admin" / "base_site.html").write_text(own)
        (template,) = settings.TEMPLATES
        settings.TEMPLATES = [{**template, "DIRS": [tmp_path, *template["DIRS"]]}]
        client = Client()
        client.force_login(user("boss", is_staff=True, is_superuser=True))
        return client

    @pytest.fixture
    def staff(self, plain: Client, settings: Any) -> Client:
        settings.MONITIO_ADMIN_BELL = True
        return plain

    @pytest.fixture
    def old(self, plain: Client) -> None:
        for number in range(3):
            # The admin capitalises texts.
            api.create_message(user("boss"), monitio.INFO, f"Old message {number}")

    def test_without_the_setting_it_lists_its_own_requests_messages_alone(
        self, plain: Client, old: None
    ) -> None:
        group = {"name": "Editors"}
        html = plain.post("/admin/auth/group/add/", group, follow=True).content.decode()
        assert "was added successfully" in html and "messagelist" in html
        assert "Old message" not in html and "monitio-bell" not in html
        # They are still unread, and shown on other pages.
        assert "Old message 2" in plain.get("/").content.decode()

    def test_its_log_in_page_lists_no_messages_of_users_without_access(self, plain: Client) -> None:
        plain.force_login(user("ann"))
        api.create_message(user("ann"), monitio.INFO, "Old message")
        assert "Old message" not in plain.get("/admin/", follow=True).content.decode()

    def test_with_the_bell_unseen_messages_pop_up_and_count(self, staff: Client, old: None) -> None:
        html = staff.get("/admin/").content.decode()
        assert '<monitio-bell unread="3"' in html and "Old message 2" in html
        assert "messagelist" not in html

    def test_a_template_by_hand_works_as_well(self, plain: Client, tmp_path: Path) -> None:
        line = '{% extends "monitio/admin/base_site.html" %}'
        (tmp_path / "admin" / "base_site.html").write_text(line)
        assert "<monitio-bell" in plain.get("/admin/").content.decode()

    def test_the_bell_is_among_the_users_links(self, staff: Client) -> None:
        html = staff.get("/admin/").content.decode()
        tools = html[html.index('id="user-tools"') :]
        assert "<monitio-bell" in tools[: tools.index("</header>")]
        assert sheets(html)[-1] == "monitio/themes/admin.css"
        assert "Django administration" in html and "Our shop" in html

    def test_the_message_of_a_page_pops_up_and_is_no_row_as_well(self, staff: Client) -> None:
        group = {"name": "Editors"}
        html = staff.post("/admin/auth/group/add/", group, follow=True).content.decode()
        assert "was added successfully" in html
        assert "messagelist" not in html
        assert 'class="monitio-message success"' in html

    def test_pop_up_windows_have_no_bell(self, staff: Client) -> None:
        html = staff.get("/admin/auth/user/?_popup=1").content.decode()
        assert "monitio" not in html.replace("/admin/monitio", "")

    def test_the_log_in_page_opens_no_stream_and_no_session(self, staff: Client) -> None:
        client = Client()
        assert b"monitio-messages" not in client.get("/admin/login/").content
        assert client.cookies.get("sessionid") is None

"""The bundled pages in a site's base template with only the blocks content and title."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

import monitio
from monitio import api, preferences
from tests.support.people import user

BASE = """{% load monitio %}<!doctype html><title>{% block title %}Shop{% endblock %}</title>
<form>{% csrf_token %}</form>Hello {{ user.username }}! {% monitio_bell %}
<main>{% block content %}{% endblock %}</main>{% monitio visitors=True %}"""


@pytest.fixture
def shop(settings: Any, tmp_path: Path, db: None) -> Client:
    """Ann's client on a site whose base template sets a cookie, opens a stream and shows a name."""
    (tmp_path / "monitio").mkdir()
    (tmp_path / "monitio/base.html").write_text(BASE)
    (template,) = settings.TEMPLATES
    settings.TEMPLATES = [{**template, "DIRS": [tmp_path]}]
    client = Client()
    client.force_login(user())
    return client


def test_each_page_brings_its_style_sheet_in_the_block_content(shop: Client) -> None:
    message = api.create_message(user(), monitio.INFO, "one", from_user=user("bob"))
    for name, arguments in (
        ("list", ()),
        ("preferences", ()),
        ("delete_all", ()),
        ("detail", (message.pk,)),
        ("reply", (message.pk,)),
    ):
        page = shop.get(reverse(f"message_{name}", args=arguments)).content.decode()
        main = page[page.index("<main>") : page.index("</main>")]
        assert '<link rel="stylesheet" href="/static/monitio/pages.css"' in main, name
        assert "Hello ann!" in page and "<title>Shop" not in page


@pytest.mark.parametrize("category", ["exports", None])
def test_the_unsubscribe_page_does_not_use_the_base_template(
    shop: Client, category: str | None
) -> None:
    url = preferences.unsubscribe_url(user(), category)
    assert url
    path = urlsplit(url).path
    for answer in (Client().get(path), shop.get(path), shop.post(path), shop.get(f"{path[:-1]}x/")):
        page = answer.content.decode()
        assert "monitio/pages.css" in page
        assert "<script" not in page and "monitio-messages" not in page and "ann" not in page
        assert not answer.cookies

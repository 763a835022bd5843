"""The recipe for django.contrib.sites in docs/tenants.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

import monitio
from monitio import api, dispatch, scope
from monitio.models import Message
from tests.support.people import user

MANUAL = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text()


def code(containing: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", MANUAL, re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


@pytest.fixture
def sites(
    transactional_db: None,
    admin_registry: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, str]]:
    """The scopes of two sites in one database, with the documented code as the site's package."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.sites"]
    model: Any = apps.get_model("sites", "Site")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    module: Any = ModuleType("mysite.scope")
    exec(code("class SiteScope"), module.__dict__)
    monkeypatch.setitem(sys.modules, "mysite", ModuleType("mysite"))
    monkeypatch.setitem(sys.modules, "mysite.scope", module)
    chosen: dict[str, Any] = {"MIDDLEWARE": list(settings.MIDDLEWARE)}
    exec(code('"mysite.scope.SiteScope"'), chosen)
    settings.MONITIO_SCOPE, settings.MIDDLEWARE = chosen["MONITIO_SCOPE"], chosen["MIDDLEWARE"]
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    try:
        rows = [model.objects.create(domain=f"{name}.test", name=name) for name in ("one", "two")]
        yield str(rows[0].pk), str(rows[1].pk)
    finally:
        model.objects.clear_cache()
        with connection.schema_editor() as editor:
            editor.delete_model(model)


def browser(who: Any, host: str) -> Client:
    client = Client(headers={"host": host})
    client.force_login(who)
    return client


def test_sites_distinguished_by_host_share_no_message(sites: tuple[str, str]) -> None:
    ann = user()
    one, two = browser(ann, "one.test"), browser(ann, "two.test")
    with scope.activate(sites[0]):
        pk = api.create_message(ann, monitio.INFO, "said on one", email=True).pk
    assert Message.objects.get().recipient_key == f"{sites[0]}/user:{ann.pk}"
    url = reverse("message_detail", args=[pk])
    assert (one.get(url).status_code, two.get(url).status_code) == (200, 404)
    assert [len(each.get("/messages/json/").json()["messages"]) for each in (one, two)] == [1, 0]
    assert "https://one.test/messages/" in mail.outbox[0].body


def test_a_process_of_one_site_has_its_number(sites: tuple[str, str], settings: Any) -> None:
    settings.SITE_ID = int(sites[1])
    assert scope.current() == sites[1]
    api.create_message(user(), monitio.INFO, "said on two")
    assert Message.objects.get().scope == sites[1]


def test_periodic_work_runs_for_every_site(
    sites: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert scope.all() == list(sites)
    call_command("monitio_deliver")
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == list(sites)


def test_existing_rows_get_their_scope(settings: Any, transactional_db: None) -> None:
    """The recipe for tenants with separate tables, with one tenant."""
    from tests.support import scopes

    ann = user()
    api.create_message(ann, monitio.INFO, "from before")
    settings.MONITIO_SCOPE = scopes.PATH
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scopes.ContextScope, "all", lambda self: ["a"])
        exec(code("def adopt"), {})
    with scope.activate("a"):
        assert [message.message for message in api.inbox(ann)] == ["from before"]
    for model in apps.get_app_config("monitio").get_models():
        if any(field.name == "scope" for field in model._meta.fields):
            assert f"models.{model.__name__}" in code("def adopt")

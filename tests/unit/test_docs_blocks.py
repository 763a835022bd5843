"""Code blocks in README and docs run, or are accepted by a parser of their language."""

from __future__ import annotations

import ast
import builtins
import json
import re
import subprocess
import symtable
from configparser import ConfigParser
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import celery
import pytest
from django.contrib.auth.models import User
from django.template import Engine, RequestContext
from django.template.backends.django import get_installed_libraries
from django.test import override_settings
from django.utils import timezone
from standardwebhooks import Webhook

from monitio import urls
from monitio.channels import Channel
from monitio.channels.webhook import new_secret
from monitio.conf import settings as ours
from monitio.management.doctor import registry
from monitio_celery.conf import settings as of_celery
from tests.support.people import request_of
from tests.support.servers.push import Browser
from tests.unit.test_docs_code import PAGES, PYTHON, ROOT, blocks

# Packages of the reader's project.
THEIRS = {"shop", "reports", "mysite"}


# Names of the reader's site that a block may use without an import.
SITES = {
    *("user", "ann", "request", "rows", "read", "store", "save", "write_report", "part", "add_up"),
    *("BASE_DIR", "MIDDLEWARE", "app", "task_id", "subscription", "secret", "new", "old"),
}
# The first lines of blocks that need a project, or a library that no test installs.
ELSEWHERE = {
    "# __init__.py",  # the tutorial's
    "# shop/__init__.py",  # test_tutorial
    "# shop/__init__.py: without it the web processes would start tasks at amqp://localhost",
    "# reports/views.py",  # test_tutorial
    "# shop/urls.py",  # test_tutorial
    "# mysite/scope.py",  # test_sites
    "from django.tasks import task",  # runs from Django 6 on
    "from django.apps import AppConfig",  # needs shop/queue.py, which test_huey runs
    "# shop/jwt.py",  # django-modern-rest 0.16, by hand
}
# Functions that need their surroundings: a template, a task.
STARTED = {"rename", "test_the_author_is_notified"}


class Names(dict[str, Any]):
    """The global names of a block: missing ones are doubles of the reader's site."""

    def __missing__(self, name: str) -> Any:
        if name.startswith("__") or hasattr(builtins, name):
            raise KeyError(name)
        self[name] = MagicMock(name=name)
        return self[name]


def unknown(table: symtable.SymbolTable) -> set[str]:
    """The names that a block neither defines nor imports."""
    made, used = set(), set()
    tables = [table]
    for one in tables:
        tables += one.get_children()
        for symbol in one.get_symbols():
            if one is table and (symbol.is_assigned() or symbol.is_imported()):
                made.add(symbol.get_name())
            if symbol.is_referenced() and (one is table or symbol.is_global()):
                used.add(symbol.get_name())
    return {name for name in used - made if not hasattr(builtins, name)}


def test_no_block_is_a_sketch(subtests: pytest.Subtests) -> None:
    for place, code in PYTHON.items():
        with subtests.test(place):
            tree = ast.parse(code, place)
            compile(tree, place, "exec")
            # "..." is allowed as a function's body, but not in a value.
            kinds = ast.List | ast.Tuple | ast.Dict
            holders = [node for node in ast.walk(tree) if isinstance(node, kinds)]
            assert not [part for part in map(ast.unparse, holders) if "..." in part]
            assert unknown(symtable.symtable(code, place, "exec")) <= SITES


def installed(code: str) -> bool:
    """Whether all its imports are installed, except for the reader's modules."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if not node.level else ["shop"]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            if module.partition(".")[0] in THEIRS:
                return False
            try:
                __import__(module)
            except ImportError as error:
                if str(error.name).startswith("monitio"):
                    raise
                return False
            except RuntimeError:  # a model of an app that is not installed here
                return False
    return True


class Pager(Channel):
    """Replaces the channel of docs/channels.md, which tests/integration/channels tests."""

    def send(self, delivery: Any) -> None: ...


CHANNELS = {
    "email": "monitio.channels.email.channel.EmailChannel",
    "push": "monitio.channels.webpush.WebPushChannel",
    "apprise": "monitio.channels.apprise.AppriseChannel",
    "webhook": "monitio.channels.webhook.WebhookChannel",
    "pager": f"{__name__}.Pager",
}
SETTINGS = {"MONITIO_CHANNELS": CHANNELS, "MONITIO_APPRISE_URLS": {"Operations": "json://host"}}


@pytest.mark.django_db
def test_python_runs(
    subtests: pytest.Subtests, ann: User, bob: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPERATIONS_URL", "VAPID_PRIVATE_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("MERCURE_PUBLISHER_JWT_KEY", "MERCURE_SUBSCRIBER_JWT_KEY"):
        monkeypatch.setenv(name, 32 * "x")
    # Apps, tasks and errors of the blocks must not affect this process.
    monkeypatch.setattr(celery, "Celery", MagicMock())
    plain = MagicMock(side_effect=lambda task=None, **options: task or (lambda made: made))
    monkeypatch.setattr(celery, "shared_task", plain)
    monkeypatch.setattr(registry, "FAULTS", {})
    invoice = SimpleNamespace(
        owner=ann, approver=bob, number=7, get_absolute_url=lambda: "/invoices/7/"
    )
    secret, sent = new_secret(), timezone.now()
    request = request_of(ann)
    request._body = b"{}"
    request.headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign("1", sent, "{}"),
    }
    things = {
        **{"user": ann, "ann": ann, "invoice": invoice, "month": [invoice], "BASE_DIR": tmp_path},
        **{"secret": secret, "new": new_secret(), "old": new_secret(), "request": request},
        "subscription": Browser().subscription("https://fcm.googleapis.com/fcm/send/1"),
    }
    User.objects.create(pk=5, username="eve")
    ran = set()
    for place, code in PYTHON.items():
        if not installed(code):
            continue
        ran.add(place)
        with subtests.test(place), override_settings(**SETTINGS):
            around = Names(things)
            exec(compile(code, place, "exec"), around, around)
            for node in ast.parse(code).body:
                if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                    names = [argument.arg for argument in node.args.args]
                    if set(names) <= things.keys() and node.name not in STARTED:
                        around[node.name](*[around[name] for name in names])
            settings = {
                name: value for name, value in around.items() if name.startswith("MONITIO_")
            }
            with override_settings(**settings):
                assert [*ours.mistakes(), *of_celery.mistakes()] == []
    assert {PYTHON[place].partition("\n")[0] for place in PYTHON.keys() - ran} <= ELSEWHERE


SITE = {"base.html": "<main>{% block content %}{% endblock %}</main>"}


def test_templates_render(subtests: pytest.Subtests, ann: User) -> None:
    loaders = [("django.template.loaders.locmem.Loader", SITE),
               "django.template.loaders.app_directories.Loader"]  # fmt: skip
    engine = Engine(
        loaders=loaders,
        libraries=get_installed_libraries(),
        context_processors=["django.template.context_processors.request"],
    )
    for place, source in blocks("django"):
        with subtests.test(place):
            html = engine.from_string(source).render(RequestContext(request_of(ann), {}))
            assert balanced(html)
    for place, source in blocks("html"):
        with subtests.test(place):
            assert balanced(source)


class Tags(HTMLParser):
    # The end tags of the last two may be in the base template.
    LONE = frozenset({"link", "meta", "input", "br", "img", "body", "html"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.is_balanced = True

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open += [] if tag in self.LONE else [tag]

    def handle_startendtag(self, tag: str, attrs: Any) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.LONE:
            self.is_balanced &= bool(self.open) and self.open.pop() == tag


def balanced(html: str) -> bool:
    tags = Tags()
    tags.feed(html)
    return tags.is_balanced and not tags.open


def test_json_is_json() -> None:
    for _place, text in blocks("json"):
        json.loads(text)


def test_shell_is_shell(tmp_path: Path) -> None:
    files = []
    for number, (_place, text) in enumerate(blocks("sh")):
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_text(text)
    for file in files:
        subprocess.run(["sh", "-n", str(file)], check=True)


def test_the_documented_caddy_configuration_is_that_of_the_example() -> None:
    shown = (ROOT / "docs/serving.md").read_text().partition("## Behind Caddy")[2]
    lines = re.findall(r"```\n(.*?)```", shown, re.S)[0].splitlines()
    assert set(lines) <= set((ROOT / "examples/production/Caddyfile").read_text().splitlines())


def test_extras_targets_and_urls_exist() -> None:
    config = ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    names = {one.name for one in urls.urlpatterns}
    for page in PAGES:
        text = page.read_text()
        extras = ",".join(re.findall(r"monitio\[([a-z,-]+)\]", text))
        assert set(filter(None, extras.split(","))) <= set(config["options.extras_require"]), page
        assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)) <= targets, page
        used = re.findall(r"(?:% url |reverse\(|redirect\()['\"](message_\w+)", text)
        assert set(used) <= names, page

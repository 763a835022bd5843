"""Writes docs/reference.md from the docstrings: ``python tools/reference.py``."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
sys.path.insert(0, str(Path(__file__).parents[1]))

import django

django.setup()

from django.core.management import get_commands, load_command_class
from django.urls import URLPattern, get_resolver

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
HEAD = """# Reference

Every public name, from its docstring (`python tools/reference.py` writes this page). Settings,
checks and outcomes have pages of their own: [Settings](settings.md), [Checks](checks.md),
[Outcomes](outcomes.md). Events, properties, parts and slots of the browser part are in
[In the browser](browser.md).
"""
# Title, module, and its public names (None: those of __all__, or what it defines).
MODULES: list[tuple[str, str, list[str] | None]] = [
    ("Messages", "monitio.api", None),
    ("Recipients", "monitio.recipients", ["Recipient"]),
    ("Steps of channels", "monitio.channels.policy", ["after"]),
    ("Tasks", "monitio.integrations", None),
    ("Celery", "monitio_celery", None),
    ("Other queues", "monitio.integrations.base", ["Integration", "register"]),
    ("Reports of a job", "monitio.jobs.reporter", ["JobReporter"]),
    ("Outcomes", "monitio.jobs.outcome", ["Outcome"]),
    ("Channels", "monitio.channels.base", ["Channel"]),
    ("Transports", "monitio.transports", ["Transport", "Hub", "Event"]),
    ("Tenants", "monitio.scope", ["ScopeBackend"]),
    ("Errors", "monitio.exceptions", None),
    ("Tests", "monitio.testing", None),
]
OWN_COMMANDS = ("monitio", "monitio_celery", "monitio_tasks")


def names_of(module: Any) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed:
        return sorted(listed)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: double backticks become single ones, examples become blocks."""
    text = inspect.cleandoc(docstring or "").replace("``", "`")
    return re.sub(
        r"(?:^>>> .*\n?(?:^(?!$).*\n?)*)",
        lambda found: f"```pycon\n{found[0].rstrip()}\n```\n",
        text,
        flags=re.M,
    ).rstrip()


def signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "()"
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
        if parameter.name != "self"
    ]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def described(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = [base.__name__ for base in value.__bases__ if base is not object]
        yield f"### `{name}`" + (f" ({', '.join(bases)})" if bases else "")
        yield prose(value.__doc__)
        for method, function in sorted(vars(value).items()):
            is_public = not method.startswith("_")
            raw = getattr(function, "__func__", function)
            if is_public and inspect.isfunction(raw):
                yield f"**`{method}{signature(raw)}`** {prose(raw.__doc__)}".rstrip()
            elif is_public and isinstance(function, property):
                yield f"**`{method}`** {prose(function.__doc__)}".rstrip()
    elif callable(value):
        yield f"### `{name}{signature(value)}`"
        yield prose(value.__doc__)


def of_modules() -> Iterator[str]:
    for title, path, names in MODULES:
        module = import_module(path)
        yield f"## {title}"
        yield f"`{path}`"
        for name in names or names_of(module):
            value = getattr(module, name)
            if (
                name[1:] in vars(module)
                and name.startswith("a")
                and inspect.iscoroutinefunction(value)
            ):
                continue
            twin = f" Awaitable twin: `a{name}`." if hasattr(module, f"a{name}") else ""
            parts = list(described(name, value))
            if parts and twin:
                parts[1] += f"\n\n{twin.strip()}"
            yield from parts


def of_commands() -> Iterator[str]:
    yield "## Commands"
    rows = [
        (name, load_command_class(app, name).help)
        for name, app in sorted(get_commands().items())
        if app in OWN_COMMANDS
    ]
    yield "| `manage.py …` | does |\n|---|---|\n" + "\n".join(
        f"| `{name}` | {' '.join(text.split())} |" for name, text in rows
    )


def of_urls() -> Iterator[str]:
    yield "## URL names"
    yield "Under the prefix of `include`; `{% url %}` and `reverse()` take the name."
    patterns = import_module("monitio.urls").urlpatterns
    rows = [
        (pattern.name, str(pattern.pattern), " ".join(prose(pattern.callback.__doc__).split()))
        for pattern in patterns
        # Names of the original answer with an error: docs/upgrade.md.
        if isinstance(pattern, URLPattern) and pattern.callback.__doc__
    ]
    yield "| name | path | answers |\n|---|---|---|\n" + "\n".join(
        f"| `{name}` | `{path}` | {text.partition('. ')[0]} |" for name, path, text in rows
    )


def of_tags() -> Iterator[str]:
    yield "## Template tags and filters"
    for library in ("monitio", "message_filters", "mark_as_read_by_url"):
        register = import_module(f"monitio.templatetags.{library}").register
        for kind, entries in (("tag", register.tags), ("filter", register.filters)):
            for name, function in sorted(entries.items()):
                inner = inspect.unwrap(function)
                text = " ".join(prose(inner.__doc__).split())
                yield f"**`{{% load {library} %}}`**, {kind} **`{name}`**: {text}"


def page() -> str:
    get_resolver()
    parts = [HEAD.rstrip(), *of_modules(), *of_tags(), *of_urls(), *of_commands()]
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

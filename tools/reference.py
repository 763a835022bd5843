"""Writes docs/reference.md from the docstrings: ``python tools/reference.py``."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from argparse import Action
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
sys.path.insert(0, str(Path(__file__).parents[1]))

import django

django.setup()

import yaml
from django.core.management import BaseCommand, get_commands, load_command_class
from django.dispatch import Signal
from django.urls import URLPattern, get_resolver

from monitio import signals

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
OPENAPI = PAGE.with_name("openapi.yaml")
HEAD = """# Reference

Every public name, from its docstring (`python tools/reference.py` writes this page). These have
pages of their own, which tests keep complete:

- [settings](settings.md), [system checks](checks.md), [outcomes of tasks](outcomes.md),
  [faults that the doctor finds](nothing-pops-up.md),
- [templates and their context](templates.md), [custom properties, parts and slots](themes.md),
  [options, events and functions in the browser](browser.md).
"""
# Title, module, and its public names (None: those of __all__, or what it defines).
MODULES: list[tuple[str, str, list[str] | None]] = [
    ("Messages", "monitio.api", None),
    ("Recipients", "monitio.recipients", ["Recipient", "page_token"]),
    ("Storage", "monitio.storage", ["PersistentMessageStorage"]),
    ("Steps of channels", "monitio.channels.policy", ["after"]),
    ("Destinations", "monitio.channels.destinations", ["add", "of_user", "remove", "switch"]),
    ("Preferences", "monitio.preferences", None),
    ("Celery", "monitio_celery", None),
    ("django.tasks", "monitio_tasks", None),
    ("Other queues", "monitio.integrations.base", ["Integration", "register"]),
    ("Recipients of a task", "monitio.integrations.recipients", ["explicit", "requester"]),
    ("Runs of a task", "monitio.integrations.run", ["TaskRun", "activate", "deactivate"]),
    ("Options of a task", "monitio.jobs.options", ["NotifyOptions"]),
    ("Reports of a job", "monitio.jobs.reporter", ["JobReporter"]),
    ("Outcomes", "monitio.jobs.outcome", ["Outcome"]),
    ("Channels", "monitio.channels.base", ["Channel"]),
    ("Webhooks", "monitio.channels.webhook", ["new_secret"]),
    ("Transports", "monitio.transports", ["Transport", "Hub", "Event"]),
    ("Tenants", "monitio.scope", ["ScopeBackend", "activate", "all", "current", "in_each"]),
    ("ASGI", "monitio.asgi", ["application"]),
    ("gunicorn", "monitio.contrib.gunicorn", ["post_worker_init", "pre_request"]),
    ("Faults of the doctor", "monitio.management.doctor.registry", ["Site", "fault"]),
    ("Errors", "monitio.exceptions", None),
    ("Short names", "monitio", None),
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
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
        and not isinstance(value, TypeVar | ParamSpec)
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
        made = signature(value) if inspect.isfunction(vars(value).get("__init__")) else ""
        if getattr(value, "_is_protocol", False):
            made = ""
        yield f"### `{name}{made}`" + (f" ({', '.join(bases)})" if bases else "")
        yield prose(value.__doc__)
        if issubclass(value, Enum):
            yield "Values: " + ", ".join(f"`{one.name}` = `{one.value!r}`" for one in value) + "."
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
    # Where a value is described, by its identity: some modules offer those of others.
    described_in: dict[int, str] = {}
    for title, path, names in MODULES:
        module = import_module(path)
        yield f"## {title}"
        yield f"`{path}`"
        offered = {name: getattr(module, name) for name in names or names_of(module)}
        elsewhere: dict[str, list[str]] = {}
        for name, value in offered.items():
            if name.startswith("a") and name[1:] in offered and inspect.iscoroutinefunction(value):
                continue
            if not callable(value):
                elsewhere.setdefault("", []).append(f"`{name}` = {value!r}")
            elif id(value) in described_in:
                elsewhere.setdefault(described_in[id(value)], []).append(f"`{name}`")
            else:
                described_in[id(value)] = path
                parts = list(described(name, value))
                if f"a{name}" in offered:
                    parts[1] += f"\n\nAwaitable twin: `a{name}`."
                yield from parts
        for home, listed in elsewhere.items():
            yield (f"Those of `{home}`: " if home else "Values: ") + ", ".join(listed) + "."


def of_commands() -> Iterator[str]:
    yield "## Commands"
    yield "Each also takes Django's own options: `--settings`, `--verbosity` …"
    inherited = {action.dest for action in _actions(BaseCommand())}
    for name, app in sorted(get_commands().items()):
        if app in OWN_COMMANDS:
            command = load_command_class(app, name)
            yield f"### `manage.py {name}`"
            yield " ".join(command.help.split())
            yield "\n".join(
                f"- `{_usage(action)}`: {_meaning(action)}"
                for action in _actions(command)
                if action.dest not in inherited
            )


def _actions(command: BaseCommand) -> list[Action]:
    return command.create_parser("manage.py", "")._actions


def _usage(action: Action) -> str:
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return action.dest
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def _meaning(action: Action) -> str:
    return " ".join((action.help or "one of " + ", ".join(map(str, action.choices or []))).split())


def of_signals() -> Iterator[str]:
    yield "## Signals"
    yield f"`monitio.signals`. {_lines(signals.__doc__).partition('. ')[2]}"
    described = re.findall(r"^# (.*)\n(\w+) = Signal", inspect.getsource(signals), re.M)
    assert len(described) == sum(isinstance(one, Signal) for one in vars(signals).values())
    yield "\n".join(f"- **`{name}`**: {text}" for text, name in described)


def openapi() -> Any:
    return yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))


def of_urls() -> Iterator[str]:
    yield "## URL names"
    yield "Under the prefix of `include`; `{% url %}` and `reverse()` take the name."
    taken = {
        one["operationId"]: _taken(one)
        for methods in openapi()["paths"].values()
        for method, one in methods.items()
        if method in ("get", "post")
    }
    patterns = import_module("monitio.urls").urlpatterns
    rows = [
        (
            f"| `{pattern.name}` | `{pattern.pattern}` | {taken.get(pattern.name, '–')} "
            f"| {_lines(pattern.callback.__doc__).partition('. ')[0].rstrip('.')} |"
        )
        for pattern in patterns
        # Names of the original answer with an error: docs/upgrade.md.
        if isinstance(pattern, URLPattern) and pattern.callback.__doc__
    ]
    yield "| name | path | takes | answers |\n|---|---|---|---|\n" + "\n".join(rows)


def _lines(docstring: str | None) -> str:
    return " ".join(prose(docstring).split())


def of_formats() -> Iterator[str]:
    """What JSON views and the stream send, from the OpenAPI description."""
    described = openapi()
    yield "## JSON and stream"
    yield "From [openapi.yaml](openapi.yaml), which has the statuses and the errors, too. " + (
        " ".join(described["info"]["description"].split("\n\n")[1].split())
    )
    stream = described["paths"]["/stream/"]["get"]
    yield "### Events of the stream"
    yield " ".join(stream["description"].split())
    kinds = stream["responses"]["200"]["content"]["text/event-stream"]["schema"]["oneOf"]
    yield "| event | data |\n|---|---|\n" + "\n".join(
        f"| `{kind['properties']['event']['const']}` |"
        f" {_type(kind['properties']['data']['contentSchema'])} |"
        for kind in kinds
    )
    for name, schema in described["components"]["schemas"].items():
        if "properties" in schema:
            required = schema.get("required", [])
            yield f"### JSON: {name}"
            yield "\n".join(
                f"- `{field}`: {_type(value)}"
                + ("" if field in required else ", not always there")
                + (f". {value['description']}" if "description" in value else "")
                for field, value in schema["properties"].items()
            )


def _taken(operation: dict[str, Any]) -> str:
    query = [one.get("name", "page") for one in operation.get("parameters", [])]
    body = operation.get("requestBody", {})
    if "$ref" in body:
        body = openapi()["components"]["requestBodies"][body["$ref"].rpartition("/")[2]]
    form = [
        name for one in body.get("content", {}).values() for name in one["schema"]["properties"]
    ]
    in_path = re.findall(r"file_id|token", str(operation.get("parameters", "")))
    return ", ".join(f"`{name}`" for name in (*query, *form) if name not in in_path) or "–"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "oneOf" in schema:
        return " or ".join(map(_type, schema["oneOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(
            f"`{json.dumps(one)}`" for one in schema.get("enum", [schema.get("const")])
        )
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(schema.get("format", kind) if kind == "string" else kind for kind in kinds)


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
    parts = [
        *(HEAD.rstrip(), *of_modules(), *of_signals(), *of_tags(), *of_urls()),
        *(*of_formats(), *of_commands()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

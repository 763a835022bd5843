"""The reference pages list everything that the code has, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.template import Node, Variable, engines
from django.template.base import FilterExpression
from django.template.defaulttags import ForNode, WithNode
from django.template.loader_tags import IncludeNode

from monitio.conf import Settings
from monitio.views.widgets import OPTIONS
from monitio_celery.conf import CelerySettings
from tests.unit.test_docs_code import PYTHON, ROOT

DOCS = ROOT / "docs"
PACKAGES = ("monitio", "monitio_celery", "monitio_tasks")
SCRIPTS = "".join(path.read_text() for path in sorted((ROOT / "frontend").rglob("*.js")))
STYLES = "".join(
    path.read_text()
    for folder in ("frontend", "monitio/static/monitio")
    for path in sorted((ROOT / folder).rglob("*.css"))
    if path.name != "board.css"
)
LEVELS = ("debug", "info", "success", "warning", "error")


def section(page: str, title: str) -> str:
    text = (DOCS / page).read_text()
    return re.split(r"^##+ ", text.partition(f"## {title}\n")[2], maxsplit=1, flags=re.M)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of its tables, without the heads."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_settings_have_their_defaults() -> None:
    known = {**Settings.DEFAULTS, **CelerySettings.DEFAULTS}
    checked = set()
    for listed, shown, _meaning in rows((DOCS / "settings.md").read_text()):
        settings = [name.removeprefix("MONITIO_") for name in re.findall(r"`(\w+)`", listed)]
        values = shown.split(", ") if len(settings) > 1 else [shown]
        for name, text in zip(settings, values, strict=True):
            try:
                assert ast.literal_eval(text.strip("`")) == known[name], name
            except (SyntaxError, ValueError):
                continue  # in words: "14 days"
            checked.add(name)
    assert len(checked) > 0.8 * len(known)


def test_the_ids_of_checks_have_a_row() -> None:
    listed, used = set(), set()
    for page in ("checks.md", "celery.md", "tasks.md"):
        listed |= set(re.findall(r"`(monitio(?:_\w+)?\.[EWI]\d{3})`", (DOCS / page).read_text()))
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = re.sub(r"fields\.W\d+|models\.W\d+", "", path.read_text())
            found = re.findall(r"[\"'](?:(monitio\w*)\.)?([EWI]\d{3})[\"']", text)
            used |= {f"{prefix or package}.{number}" for prefix, number in found}
    # One function makes this check for each task queue.
    used -= {"monitio.W003"}
    used |= {"monitio.W003", "monitio_celery.W003", "monitio_tasks.W003"}
    assert listed == used


def test_custom_properties() -> None:
    used = set(re.findall(r"var\((--monitio-[a-z-]+)", STYLES))
    listed = set()
    for name in names(section("themes.md", "Custom properties")):
        if name.startswith("--"):
            listed |= {name.replace("LEVEL", level) for level in LEVELS}
    assert {"".join(pair) for pair in product(("--monitio-",), LEVELS)} <= used
    # The script composes these names.
    used |= {f"--monitio-{level}-{part}" for level in LEVELS for part in ("soft", "bg", "fg")}
    assert listed == used


def test_parts_slots_and_states() -> None:
    text = section("themes.md", "Parts, slots and states")
    parts = {name for found in re.findall(r'part: "([a-z -]+)"', SCRIPTS) for name in found.split()}
    parts |= set(re.findall(r'\b(?:button|tool)\(\s*"([a-z-]+)"', SCRIPTS))
    for found in re.findall(r'fill\(message, (?:\w+ \? )?"([a-z ]+)"', SCRIPTS):
        parts |= set(found.split())
    cells = " ".join(cell for _element, cell in rows(text.replace("| a toast", "| `a toast`")))
    assert set(" ".join(names(cells)).split()) == parts
    slots = set(re.findall(r'make\("slot", \{ name: "(\w+)"', SCRIPTS))
    assert names(text.partition("Slots of the bell: ")[2].partition(".")[0]) == slots
    states = set(re.findall(r'this\.state\("(\w+)"', SCRIPTS)) | {"started"}
    assert set(re.findall(r":state\((\w+)\)", text)) == states


def test_events_of_the_browser() -> None:
    fired = set(re.findall(r'\.fire\(\s*(?:\w+ \? )?"(\w+)"', SCRIPTS)) | {"closed"}
    listed = {name for cells in rows(section("browser.md", "Events")) for name in names(cells[0])}
    assert listed == fired


def test_functions_for_scripts() -> None:
    typed = (ROOT / "frontend/package/elements.d.ts").read_text().partition("const monitio: {")[2]
    text = section("browser.md", "From your own scripts").replace("monitio.js", "")
    assert set(re.findall(r"\bmonitio\.(\w+)\b", text)) == set(
        re.findall(r"^  (?:readonly )?(\w+)[(:]", typed, re.M)
    )
    typed = (ROOT / "frontend/package/index.d.ts").read_text().partition("interface Monitio {")[2]
    table = rows(section("react.md", "The store"))
    listed = {name.partition("(")[0] for cells in table for name in names(cells[0])}
    assert listed == set(re.findall(r"^  (\w+)\(", typed.partition("\n}")[0], re.M))


def test_options_of_the_tag() -> None:
    table = section("browser.md", "Tags and filters").partition("takes these options")[2]
    listed = {name for cells in rows(table) for name in names(cells[0])}
    assert listed == OPTIONS | {"theme", "visitors"}


def test_documented_imports_are_in_the_reference() -> None:
    reference = (DOCS / "reference.md").read_text()
    described = set(re.findall(r"^### `(\w+)", reference, re.M)) | {"app", "models"}
    for line in reference.splitlines():
        if line.startswith(("Those of", "Values: ", "Awaitable twin")):
            described |= set(re.findall(r"\w+", line))
    missing = set()
    for place, code in PYTHON.items():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                for alias in node.names:
                    # Of a module, the reference lists the names.
                    is_module = f"`{node.module}.{alias.name}`" in reference
                    if alias.name not in described and not is_module:
                        missing.add(f"{place}: {node.module}.{alias.name}")
    assert sorted(missing) == []


TEMPLATES = ROOT / "monitio/templates"
SHOWN = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*")
    if path.is_file() and "admin" not in path.parts
)
# Names of the template engine, of context processors, and of templates that include others.
ALWAYS = {"True", "False", "None", "forloop", "block", "request", "csrf_token", "style"}


def variables(value: Any, seen: set[int]) -> Iterator[tuple[str, bool]]:
    """The first names of the variables in a compiled template, and whether it defines them."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Variable):
        if value.lookups:
            yield value.lookups[0], False
    elif isinstance(value, FilterExpression):
        yield from variables(value.var, seen)
        for _function, arguments in value.filters:
            for is_variable, argument in arguments:
                if is_variable:
                    yield from variables(argument, seen)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from variables(part, seen)
    elif isinstance(value, dict):
        yield from variables(list(value.values()), seen)
    elif isinstance(value, Node) or type(value).__module__.startswith("django.template"):
        made = [getattr(value, name, "") for name in ("asvar", "variable", "target_var")]
        if isinstance(value, ForNode):
            made += value.loopvars
        if isinstance(value, WithNode | IncludeNode):
            made += value.extra_context
        yield from ((name, True) for name in made if isinstance(name, str))
        hidden = ("origin", "token", "parser", "engine", "template")
        yield from variables([v for k, v in vars(value).items() if k not in hidden], seen)


def contexts() -> dict[str, set[str]]:
    """Template -> its documented context."""
    found = {}
    page = (DOCS / "templates.md").read_text()
    shared = names(page.partition("## E-mails\n")[2].partition("\n\n|")[0])
    for templates, _shows, context in rows(page):
        for name in names(templates):
            assert name not in found, name
            more = shared if name.startswith("monitio/email/") else set()
            found[name] = names(re.sub(r"\([^)]*\)", "", context)) | more
    return found


def test_every_template_has_a_row() -> None:
    assert sorted(contexts()) == SHOWN


@pytest.mark.parametrize("name", SHOWN)
def test_the_context_of_a_template(name: str) -> None:
    nodes = engines["django"].engine.get_template(name).nodelist  # type: ignore[attr-defined]
    found = list(variables(nodes, set()))
    used = {name for name, _made in found} - {name for name, made in found if made}
    assert not used - contexts()[name] - ALWAYS

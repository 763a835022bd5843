"""The code in README and docs works when it is copied."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import get_commands

from monitio.conf import Settings
from monitio.integrations.progress import track
from monitio.recipients import Recipient
from monitio.testing import assert_notified
from monitio.transports import Event
from monitio.views import themes
from monitio_celery.conf import CelerySettings
from tools import reference

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/*.md"),
        *(path for path in ROOT.glob("examples/**/*.md") if "var" not in path.parts),
    ]
)
LINKED = [
    *PAGES,
    *(ROOT / name for name in ("SECURITY.md", "CHANGELOG.md", "frontend/package/README.md")),
]
BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<code>.*?)^(?P=indent)```", re.M | re.S)
# Names that are no settings: environment variables of tests.
NO_SETTINGS = {"MONITIO_TEST_PROFILES", "MONITIO_TEST_DATABASE"}


def blocks(kind: str, *pages: Path) -> Iterator[tuple[str, str]]:
    """Page and text of each code block of this language."""
    for page in pages or PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            if found["kind"] == kind:
                line = text.count("\n", 0, found.start()) + 1
                yield f"{page.relative_to(ROOT)}:{line}", textwrap.dedent(found["code"])


PYTHON = dict(blocks("python"))


def test_the_blocks_are_found() -> None:
    assert len(PYTHON) >= 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_manage_py_exist(page: Path) -> None:
    named = re.findall(
        r"(?:manage\.py|django-admin|examples\.\w+\.manage) ([a-z_]+)", page.read_text()
    )
    known = {*get_commands(), "prepare_demo", "rqworker"}
    assert not set(named) - known


def test_tests_and_programs_exist(subtests: pytest.Subtests) -> None:
    known = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for path in (ROOT / "tests").rglob("*.py"):
        known.update(re.findall(r"^ *def (test_\w+)", path.read_text(), re.M))
    for page in PAGES:
        text = page.read_text()
        with subtests.test(page.name):
            assert not set(re.findall(r"`(test_\w+)`", text)) - known
            for name in re.findall(r"python -m ((?:benchmarks|examples|tests)[\w.]*)", text):
                path = ROOT / name.replace(".", "/")
                assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
            for name in re.findall(r"`python (tools/\w+\.py)", text):
                assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_exist(page: Path) -> None:
    named = set(re.findall(r"\bMONITIO_[A-Z_]*[A-Z]\b(?!_)", page.read_text()))
    known = {f"MONITIO_{name}" for name in (*Settings.DEFAULTS, *CelerySettings.DEFAULTS)}
    assert not named - known - NO_SETTINGS


def test_each_setting_has_one_row() -> None:
    tables = (ROOT / "docs" / "settings.md").read_text() + (ROOT / "docs" / "celery.md").read_text()
    rows = [line.split("|")[1] for line in tables.splitlines() if line.startswith("| `MONITIO_")]
    named = [name for row in rows for name in re.findall(r"`MONITIO_(\w+)`", row)]
    assert sorted(named) == sorted([*Settings.DEFAULTS, *CelerySettings.DEFAULTS])


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub creates for its headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def example(name: str) -> dict[str, Any]:
    """The names defined by the block of CONTRIBUTING.md that begins with this comment."""
    code = dict(blocks("python", ROOT / "CONTRIBUTING.md")).values()
    defined: dict[str, Any] = {}
    exec(next(text for text in code if text.startswith(f"# {name}\n")), defined)
    return defined


def test_the_transport_of_contributing_carries_events() -> None:
    transport = example("monitio/transports/local.py")["LocalTransport"]()
    listener = Mock(stopping=Mock(side_effect=[False, True]))
    transport.publish([Event("user:1")])
    transport.listen(listener)
    listener.receive.assert_called_once_with(Event("user:1"))


@pytest.mark.django_db
def test_the_task_queue_of_contributing_reports_its_tasks(ann: Any) -> None:
    run = example("monitio_inline/__init__.py")["run"]
    run(lambda: sum(track([1, 2])), recipient=Recipient.of(ann))
    assert_notified(ann, text="3 rows imported")


def test_the_theme_of_contributing_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (css,) = dict(blocks("css", ROOT / "CONTRIBUTING.md")).values()
    monkeypatch.setattr(themes, "BUILT_IN", (*themes.BUILT_IN, "paper"))
    assert css.startswith(f"/* monitio/static/{themes.stylesheet('paper')} */")
    assert set(re.findall(r"--monitio-[a-z-]+", css)) <= set(
        re.findall(r"--monitio-[a-z-]+", (ROOT / "docs/themes.md").read_text())
    )


def test_the_field_of_contributing_is_in_each_of_its_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a message field")[2]
    named = re.findall(
        r"`((?:monitio|tests|frontend)\S*\.(?:py|d\.ts))`", text.partition("\n## ")[0]
    )
    assert len(named) > 10
    for name in set(named) - {"tests/unit/test_public_names.py"}:
        assert re.search(r"\bicon\b", (ROOT / name).read_text()), name


def test_the_map_of_the_readme_names_every_folder() -> None:
    text = (ROOT / "README.md").read_text().partition("## Source tree")[2]
    named = set(re.findall(r"^(?:    )?(\w+)/ ", text, re.M))
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("Only git knows which folders belong to the project.")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    files = [Path(name) for name in tracked]
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    rooms = {file.parts[1] for file in files if file.parts[0] == "monitio" and len(file.parts) > 2}
    assert named == {name for name in tops | rooms if not name.startswith(".")}


def test_what_the_architecture_page_names_exists() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "docs" / "architecture.md").read_text(), flags=re.S)
    named = {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"\w+", code)}
    folders = (
        "monitio",
        "monitio_celery",
        "monitio_tasks",
        "tests",
        "tools",
        "frontend",
        "benchmarks",
    )
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js"}
    ]
    known = set(re.findall(r"\w+", " ".join(map(str, files))))
    files += [ROOT / "setup.cfg", ROOT / "Makefile"]
    known.update(*(re.findall(r"\w+", path.read_text()) for path in files))
    assert named - known - {"ThreadSensitiveContext"} == set()


def test_the_reference_is_up_to_date() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run python tools/reference.py"

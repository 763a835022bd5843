"""The requirements in setup.cfg: their bounds, and the packages of its extras."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup import description, repository
from tools import oldest

ROOT = Path(__file__).parents[2]


def installed_by(name: str, extras: frozenset[str], seen: set[str]) -> None:
    """Add the packages that pip installs for ``name[extras]`` to ``seen``."""
    seen.add(f"{canonicalize_name(name)}{sorted(extras)}")
    for line in requires(name) or ():
        needed = Requirement(line)
        wanted = [{"extra": extra} for extra in extras or {""}]
        if needed.marker and not any(needed.marker.evaluate(extra) for extra in wanted):
            continue
        key = f"{canonicalize_name(needed.name)}{sorted(needed.extras)}"
        if key not in seen:
            installed_by(needed.name, frozenset(needed.extras), seen)


def imported_by(module: str) -> Iterator[str]:
    """The packages that this module imports unconditionally."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_extras_install_the_imports_of_a_redis_broker() -> None:
    seen: set[str] = set()
    installed_by("monitio", frozenset({"celery", "redis"}), seen)
    brought = {entry.partition("[")[0] for entry in seen}
    distributions = packages_distributions()
    for module in ("kombu.transport.redis", "celery.backends.redis"):
        for package in imported_by(module):
            owners = {canonicalize_name(owner) for owner in distributions.get(package, ())}
            assert not owners or owners & brought, package


def test_the_redis_extra_does_not_install_celery() -> None:
    seen: set[str] = set()
    installed_by("monitio", frozenset({"redis"}), seen)
    assert not [entry for entry in seen if entry.startswith(("celery", "kombu"))]


def test_every_requirement_of_a_site_has_an_oldest_version() -> None:
    found = oldest.constraints((ROOT / "setup.cfg").read_text())
    assert {"Django==5.2", "celery==5.4", "psycopg==3.1.8"} <= set(found)


def test_a_requirement_without_an_oldest_version_is_refused() -> None:
    setup = (ROOT / "setup.cfg").read_text().replace("psycopg>=3.1.8", "psycopg")
    with pytest.raises(ValueError, match="no oldest version of psycopg"):
        oldest.constraints(setup)


PLACEHOLDER = "example." + "invalid"


def test_facts_of_the_owner_are_placeholders_in_one_file() -> None:
    found = {}
    for name in files_of_the_repository():
        text = (ROOT / name).read_text(encoding="utf-8", errors="ignore")
        if lines := [line for line in text.splitlines() if PLACEHOLDER in line]:
            found[name] = [line.partition(" = ")[0] for line in lines]
    comment = f"# replace {PLACEHOLDER} here, and nothing else has to change"
    assert [line for line in found.pop("setup.cfg") if not line.startswith(comment)] == [
        "url",
        "author_email",
    ]
    assert found == {}


def files_of_the_repository() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_links_of_the_description_work_outside_of_the_repository() -> None:
    text = description(
        "![a](docs/a.png) [b](docs/b.md) [c](#c) [d](https://example.org/)", "https://forge/m"
    )
    assert text == (
        "![a](https://forge/m/raw/main/docs/a.png) [b](https://forge/m/blob/main/docs/b.md) "
        "[c](#c) [d](https://example.org/)"
    )


def test_the_description_names_the_repository_to_clone() -> None:
    text = description((ROOT / "README.md").read_text(), repository())
    assert f"\ngit clone {repository()} monitio " in text and "REPOSITORY" not in text

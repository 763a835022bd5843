"""The tables of docs/outcomes.md agree with the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from monitio.constants import State

HERE = Path(__file__).parent
TEXT = (HERE.parents[2] / "docs" / "outcomes.md").read_text()
MODULES = ("test_outcomes", "test_deaths", "test_outages")


def rows() -> list[tuple[str, str]]:
    """The state and the test of each row of the first table."""
    table = TEXT.split("\n## ")[0].splitlines()
    found = [re.findall(r"`(\w+)`", line) for line in table if line.startswith("| ")]
    return [(names[-2], names[-1]) for names in found if names and names[-1].startswith("test_")]


def sources() -> dict[str, str]:
    """The source of every test of an outcome, by the test's name."""
    found = {}
    for module in MODULES:
        source = (HERE / f"{module}.py").read_text()
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = ast.get_source_segment(source, node) or ""
    return found


def test_the_table_is_found() -> None:
    assert len(rows()) >= 30


@pytest.mark.parametrize(("state", "test"), rows())
def test_each_line_names_the_test_that_proves_it(state: str, test: str) -> None:
    assert state in State.ENDED
    assert f'"{state}"' in sources()[test]


def test_every_test_of_a_death_or_an_outage_has_its_line() -> None:
    for module in ("test_deaths", "test_outages"):
        names = re.findall(r"^def (test_\w+)", (HERE / f"{module}.py").read_text(), re.MULTILINE)
        assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_every_other_test_that_is_named_exists() -> None:
    files = HERE.parents[1].glob("**/test_*.py")
    known = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert set(re.findall(r"`(test_[a-z]\w+)`", TEXT)) - known == set()

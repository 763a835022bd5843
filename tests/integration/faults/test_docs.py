"""The tables of docs/faults.md agree with the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parents[1] / "docs" / "faults.md").read_text()
# Modules in which each test is one fault.
FAULTS = ("test_faults", "test_great")


def rows() -> list[str]:
    """The test of each row of the tables."""
    return re.findall(r"^\| .* \| `(test_\w+)` \|$", TEXT, re.MULTILINE)


def names_in(path: Path) -> set[str]:
    """The names of a module's tests."""
    functions = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    return {function.name for function in functions if function.name.startswith("test_")}


def test_each_line_names_a_test() -> None:
    lines = re.findall(r"^\| (?!fault \|)\S.*", TEXT, re.MULTILINE)
    assert len(lines) == len(rows()) >= 20


@pytest.mark.parametrize("name", rows())
def test_that_test_exists(name: str) -> None:
    modules = TESTS.parent.rglob("test_*.py")
    assert any(name in path.read_text() and name in names_in(path) for path in modules)


def test_every_fault_has_its_line() -> None:
    for module in FAULTS:
        assert names_in(TESTS / "faults" / f"{module}.py") - set(rows()) == set()

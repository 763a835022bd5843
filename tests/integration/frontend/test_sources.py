"""The front end's sources pass the compiler and the linter, and match the built files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import needs_packages
from tools import static


@pytest.mark.parametrize(
    "file", [*static.ENTRIES, *static.STYLE_SHEETS], ids=lambda file: file.name
)
def test_building_again_changes_nothing(file: Path) -> None:
    needs_packages()
    again = static.build(file)
    assert {path: path.read_text(encoding="utf-8") for path in again} == again


@pytest.mark.parametrize("tool", ["tsc", "eslint frontend monitio"])
def test_the_sources_hold_their_types_and_rules(tool: str) -> None:
    needs_packages()
    name, *options = tool.split()
    command = [static.ESBUILD.with_name(name), *options]
    run = subprocess.run(command, cwd=static.ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

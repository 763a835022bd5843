"""What browsers load: built from its sources, small, and within the strictest policy."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

import monitio
from monitio.views.strings import strings
from tests.conftest import needs_packages
from tools import static

STATIC = Path(monitio.__file__).parent / "static" / "monitio"
KB = 1024


def packed(text: str) -> int:
    return len(gzip.compress(text.encode(), 9))


def built() -> str:
    return static.BUILT.read_text(encoding="utf-8")


def test_the_script_was_built_from_the_sources_as_they_are() -> None:
    assert built().startswith(static.header()), "run `make static`"


def test_building_again_changes_nothing() -> None:
    needs_packages()
    assert static.build() == built()


def test_nothing_but_the_built_script_and_those_of_pages_and_jquery_is_shipped() -> None:
    assert {path.name for path in STATIC.glob("*.js")} == {
        "monitio.js",
        "pages.js",
        "messages.jquery.js",
    }


def test_the_script_stays_within_17_5_kb_as_shipped() -> None:
    assert packed(built()) <= 17.5 * KB


def test_the_script_stays_within_14_kb_minified() -> None:
    needs_packages()
    assert packed(static.minified()) <= 14 * KB


def test_the_style_sheet_stays_within_2_kb() -> None:
    assert packed((STATIC / "monitio.css").read_text(encoding="utf-8")) <= 2 * KB


def test_the_script_imports_nothing_so_that_hashed_storages_need_no_rewriting(
    settings: Any, tmp_path: Path
) -> None:
    assert not re.search(r'^import\b|\bimport\(|\bfrom "', built(), re.MULTILINE)
    settings.STATIC_ROOT = tmp_path
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    call_command("collectstatic", interactive=False, verbosity=0)
    (hashed,) = (tmp_path / "monitio").glob("monitio.????????????.js")
    assert hashed.read_text(encoding="utf-8") == built()


def test_the_scripts_keep_to_strict_csp_and_trusted_types() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function"
    for path in STATIC.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(forbidden, source)
        assert 'setAttribute("style"' not in source


def test_every_key_that_the_script_uses_has_a_string() -> None:
    said = set(re.findall(r'\bt\("(\w+)"', built()))
    assert said and said <= strings().keys()


@pytest.mark.parametrize("tool", ["tsc", "eslint frontend monitio"])
def test_the_sources_hold_their_types_and_rules(tool: str) -> None:
    needs_packages()
    name, *options = tool.split()
    command = [static.ESBUILD.with_name(name), *options]
    run = subprocess.run(command, cwd=static.ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

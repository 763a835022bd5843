"""The files for browsers are built from their sources, small, and allowed by the strictest CSP."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

import monitio
from monitio.views.strings import strings
from tools import static

STATIC = Path(monitio.__file__).parent / "static" / "monitio"
KB = 1024


def packed(text: str) -> int:
    return len(gzip.compress(text.encode(), 9))


def built(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "file", [*static.ENTRIES, *static.STYLE_SHEETS], ids=lambda file: file.name
)
def test_it_was_built_from_the_sources_as_they_are(file: Path) -> None:
    assert built(file).startswith(static.header(file)), "run `make static`"


@pytest.mark.parametrize("file", static.ENTRIES, ids=lambda file: file.name)
def test_a_script_imports_nothing_that_a_hashed_storage_would_have_to_rewrite(
    file: Path, settings: Any, tmp_path: Path
) -> None:
    source = built(file)
    assert not re.search(r'\bimport\s*["{*]|\bimport\(["`]|\bfrom\s*"[./]', source)
    settings.STATIC_ROOT = tmp_path
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    call_command("collectstatic", interactive=False, verbosity=0)
    (hashed,) = (tmp_path / "monitio").glob(f"{file.stem}.????????????.js")
    code, _, source_map = hashed.read_text(encoding="utf-8").rpartition("//# sourceMappingURL=")
    assert source.startswith(code)
    assert (tmp_path / "monitio" / source_map.strip()).is_file()


def test_nothing_but_the_built_scripts_and_those_of_pages_and_jquery_is_shipped() -> None:
    assert {path.name for path in STATIC.glob("*.js")} == {
        "monitio.js",
        "monitio-cards.js",
        "monitio-inbox.js",
        "monitio-push.js",
        "push-worker.js",
        "board.js",
        "pages.js",
        "messages.jquery.js",
    }


def test_the_script_stays_within_12_kb() -> None:
    assert packed(built(static.BUILT)) <= 12 * KB


def test_the_script_of_the_stack_and_of_tasks_stays_within_6_5_kb() -> None:
    assert packed(built(static.CARDS)) <= 6.5 * KB


def test_the_script_of_the_inbox_stays_within_9_kb() -> None:
    assert packed(built(static.INBOX)) <= 9 * KB


def test_the_script_of_push_notifications_stays_within_1_5_kb() -> None:
    assert packed(built(static.PUSH)) <= 1.5 * KB


def test_the_worker_stays_within_60_lines() -> None:
    assert len((STATIC / "push-worker.js").read_text(encoding="utf-8").splitlines()) <= 60


def test_both_style_sheets_together_stay_within_6_kb() -> None:
    assert sum(packed(built(file)) for file in static.STYLE_SHEETS) <= 6 * KB


def test_the_scripts_keep_to_strict_csp_and_trusted_types() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function"
    for path in STATIC.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(forbidden, source)
        assert 'setAttribute("style"' not in source


def test_every_key_that_the_script_uses_has_a_string() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in static.sources())
    used = set(re.findall(r'\bt\("(\w+)"', sources))
    assert used and used <= strings().keys()

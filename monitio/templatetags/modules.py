"""The scripts of the browser part, to be asked for all at once. Not a tag library."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

from django.apps import apps
from django.templatetags.static import static

FOLDER = Path(__file__).parents[1] / "static" / "monitio"
ENTRY = "monitio.js"
IMPORTED = re.compile(r' from "\./([\w-]+\.js)"')


@cache
def imports(name: str = ENTRY) -> tuple[str, ...]:
    """What a module imports, directly or not, by the files themselves; in the order of need."""
    names: dict[str, None] = {}
    for imported in IMPORTED.findall((FOLDER / name).read_text(encoding="utf-8")):
        names |= dict.fromkeys([*imports(imported), imported])
    return tuple(names)


def preloads() -> list[str]:
    """The addresses under which the browser will ask for what the entry imports.

    Without preloading it learns of each module only from the one that imports it.
    """
    if _rewrites_imports():
        return [static(f"monitio/{name}") for name in imports()]
    entry = static(f"monitio/{ENTRY}")
    return [urljoin(entry, name) for name in imports()]


def _rewrites_imports() -> bool:
    """Whether the storage puts hashed names into scripts; Django's own leaves them as they are."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return False
    from django.contrib.staticfiles.storage import staticfiles_storage

    return bool(getattr(staticfiles_storage, "support_js_module_import_aggregation", False))

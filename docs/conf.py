"""The documentation as HTML: ``make docs``. The pages are Markdown that forges show as well."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import monitio
from setup import repository

project = "monitio"
release = version = monitio.__version__
extensions = ["myst_parser"]
html_theme = "furo"
html_title = f"monitio {release}"
myst_heading_anchors = 4
# Templates in examples hold what Pygments takes for errors; `json` examples have comments.
suppress_warnings = ["misc.highlighting_failure"]

OUTSIDE = re.compile(r"\]\(\.\./([^)]+)\)")
LINKED = re.compile(r"^\| \[[^]]+\]\(([\w-]+)\.md\) \|", re.M)


def prepare(app: Any, name: str, source: list[str]) -> None:
    """Link files outside of docs/ to the repository; list the pages of the index in its order."""
    source[0] = OUTSIDE.sub(rf"]({repository()}/blob/main/\1)", source[0])
    if name == "index":
        pages = "\n".join(LINKED.findall(source[0]))
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"


def setup(app: Any) -> None:
    app.connect("source-read", prepare)

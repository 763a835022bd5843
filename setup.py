"""The description on the package index: README.md, with links that work outside of the repository.

Everything else is in setup.cfg, the address of the repository included.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)]*)\)")


def repository() -> str:
    config = ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["metadata"]["url"].rstrip("/")


def description(readme: str, url: str) -> str:
    """``readme`` with absolute addresses of its images and pages, and of the repository."""

    def absolute(match: re.Match[str]) -> str:
        mark, text, path = match.groups()
        return f"{mark}[{text}]({url}/{'raw' if mark else 'blob'}/main/{path})"

    return RELATIVE_LINK.sub(absolute, readme).replace("git clone REPOSITORY", f"git clone {url}")


if __name__ == "__main__":
    url = repository()
    setup(
        long_description=description((ROOT / "README.md").read_text(encoding="utf-8"), url),
        long_description_content_type="text/markdown",
        project_urls={
            "Documentation": f"{url}/blob/main/docs/index.md",
            "Changelog": f"{url}/blob/main/CHANGELOG.md",
            "Issues": f"{url}/issues",
            "Source": url,
        },
    )

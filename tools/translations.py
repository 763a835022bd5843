"""Collect and compile the translations of all packages; ``--check`` only lists what is out of date.

Needs gettext (Debian: ``apt-get install gettext``, macOS: ``brew install gettext``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("monitio", "monitio_celery", "monitio_tasks", "examples/demo")
# Differ from run to run, or with the place of a line: no translator cares.
NOISE = re.compile(rb'^("POT-Creation-Date:.*|#[:,].*)\n', re.MULTILINE)


def collect(package: Path) -> None:
    """Run makemessages and compilemessages as they are meant: inside the package."""
    for command in (
        ["makemessages", "--all", "--no-wrap", "--no-location", "--no-obsolete"],
        ["compilemessages"],
    ):
        subprocess.run(
            [sys.executable, "-P", "-m", "django", *command],
            cwd=package,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.settings"},
            check=True,
            stdout=subprocess.DEVNULL,
        )


def texts(package: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(package)): NOISE.sub(b"", path.read_bytes())
        for path in sorted(package.glob("locale/*/LC_MESSAGES/*.po"))
    }


def is_current(package: Path) -> bool:
    """Whether collecting would change no text."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / package.name
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("var", "__pycache__"))
        collect(copy)
        return texts(copy) == texts(package)


def main(check: bool) -> int:
    if shutil.which("msgfmt") is None:
        print("gettext is missing: the translations are neither made nor checked.")
        return 0
    outdated = []
    for name in PACKAGES:
        package = ROOT / name
        if not (package / "locale").is_dir():
            continue
        if not check:
            collect(package)
        elif not is_current(package):
            outdated.append(name)
    if outdated:
        print(f"Out of date: {', '.join(outdated)}. Run `make messages` and translate what is new.")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

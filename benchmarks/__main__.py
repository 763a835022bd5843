"""The project's measurements.

    python -m benchmarks [NAME ...] [--rounds N] [--out FOLDER]

Without names it runs all of them, in under 20 minutes. Subjects take turns in every round, so that
their ratios hold on a shared machine. Writes ``results.json`` and ``results.md``, and prints them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Modules with ``measure(rounds) -> Table``.
TABLES = ("streams", "messages")
# Modules that print what they measure, with the arguments that make them short.
REPORTS: dict[str, tuple[str, ...]] = {
    "overhead": ("--rounds", "9"),
    "groups": ("400", "2000", "--rounds", "1"),
    "track_step": (),
    "digests": ("1000", "5", "1", "sqlite"),
    "latency": (),
    "browser": ("1",),
}
NAMES = (*TABLES, *REPORTS)
PACKAGES = ("django", "celery", "redis", "psycopg", "uvicorn")


def machine() -> dict[str, str]:
    versions = {name: version(name) for name in PACKAGES}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **versions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "benchmarks")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine(), "tables": {}}
    pages = [", ".join(f"{name} {value}" for name, value in machine().items())]
    for name in options.names or NAMES:
        if name in TABLES:
            table = import_module(f"benchmarks.{name}").measure(options.rounds)
            results["tables"][name] = table.to_dict()
            pages.append(table.markdown())
        else:
            command = [sys.executable, "-m", f"benchmarks.{name}", *REPORTS[name]]
            report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            pages.append(f"### {name}\n\n```text\n{report.strip()}\n```\n")
        print(pages[-1], flush=True)
        # After each: a run that is interrupted keeps what it has measured.
        (options.out / "results.json").write_text(json.dumps(results, indent=1))
        (options.out / "results.md").write_text("\n\n".join(pages))


if __name__ == "__main__":
    main()

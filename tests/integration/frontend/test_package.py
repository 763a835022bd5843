"""The npm package works without a browser, its types are correct, and it stays small."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import needs_packages
from tools import package, static

HERE = Path(__file__).parent
KB = 1024
FILES = {
    "LICENSE", "README.md", "elements.d.ts", "index.d.ts", "index.js", "monitio-cards.js",
    "monitio-inbox.js", "monitio.css", "monitio.js", "package.json", "types.d.ts",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``npm install monitio`` was run."""
    needs_packages()
    site = tmp_path_factory.mktemp("site")
    package.build(site / "node_modules" / "monitio")
    return site


def run(*command: str | Path, cwd: Path = static.ROOT, **env: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_store_and_its_stream_in_node(site: Path) -> None:
    module = site / "node_modules" / "monitio" / "index.js"
    output = run("node", "--test", HERE / "package.test.mjs", MONITIO_TEST_PACKAGE=str(module))
    assert "# fail 0" in output


def test_the_types_hold_for_a_site(site: Path) -> None:
    usage = site / "usage.ts"
    usage.write_text((HERE / "usage.ts").read_text(encoding="utf-8"), encoding="utf-8")
    options = "--noEmit --strict --target esnext --module esnext --moduleResolution bundler"
    run(static.ESBUILD.with_name("tsc"), *options.split(), "--ignoreConfig", usage, cwd=site)


def test_the_store_stays_within_7_kb(site: Path) -> None:
    store = (site / "node_modules" / "monitio" / "index.js").read_bytes()
    assert len(gzip.compress(store, 9)) <= 7 * KB


def test_the_version_is_that_of_the_python_package(site: Path) -> None:
    about = json.loads((site / "node_modules" / "monitio" / "package.json").read_text())
    assert about["version"] == package.version()
    assert re.fullmatch(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?", about["version"])


@pytest.mark.variant
def test_npm_packs_what_is_needed(site: Path) -> None:
    folder = site / "node_modules" / "monitio"
    (packed,) = json.loads(run("npm", "pack", "--json", "--offline", cwd=folder))
    assert {file["path"] for file in packed["files"]} == FILES
    assert packed["size"] <= 50 * KB

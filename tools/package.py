"""Build the npm package from the sources in frontend: python tools/package.py

The package lies in build/npm, packed for `npm publish`. Its store is joined by esbuild; its
elements are the files that Django serves.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import monitio  # noqa: E402
from tools.static import BUILT, CARDS, ESBUILD, INBOX, SOURCES, STATIC  # noqa: E402

SOURCE = SOURCES / "package"
COPIED = [
    ROOT / "LICENSE",
    SOURCE / "README.md",
    SOURCES / "types.d.ts",
    BUILT,
    CARDS,
    INBOX,
    STATIC / "monitio.css",
]
# Of Python's versions, in the form of npm.
STAGES = {"a": "-alpha.", "b": "-beta.", "rc": "-rc."}


def version() -> str:
    """That of the Python package: ``1.0.0-beta.1`` for ``1.0.0b1``."""
    found = monitio.__version__
    for stage, name in STAGES.items():
        found = found.replace(stage, name)
    return found


def build(folder: Path) -> None:
    """Write the files of the package into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in COPIED:
        shutil.copy(path, folder)
    for path in SOURCE.glob("*.d.ts"):
        text = path.read_text(encoding="utf-8").replace('"../types.js"', '"./types.js"')
        (folder / path.name).write_text(text, encoding="utf-8")
    for script in (BUILT, CARDS, INBOX):
        # Their source maps are for sites, where the browser can fetch them.
        text = script.read_text(encoding="utf-8").rpartition("//# sourceMappingURL=")[0]
        (folder / script.name).write_text(text, encoding="utf-8")
    about = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    about["version"] = version()
    (folder / "package.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    subprocess.run(
        [
            str(ESBUILD),
            str(SOURCE / "index.js"),
            "--bundle",
            "--minify-syntax",
            "--minify-whitespace",
            "--format=esm",
            "--target=es2022",
            f"--outfile={folder / 'index.js'}",
            "--log-level=warning",
        ],
        check=True,
    )


def main() -> None:
    folder = ROOT / "build" / "npm"
    shutil.rmtree(folder, ignore_errors=True)
    build(folder)
    subprocess.run(["npm", "pack"], cwd=folder, check=True)


if __name__ == "__main__":
    main()

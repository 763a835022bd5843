"""Build what browsers load from the sources in frontend: python tools/static.py

Four modules, minified, each with its source map: esbuild joins the sources, in which style sheets
become short texts, and rolldown minifies them (5 % smaller than by esbuild alone). Two style sheets
are minified. The first line of each holds a digest of its sources: a test without Node notices what
was changed and not built.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "frontend"
STATIC = ROOT / "monitio" / "static" / "monitio"
# What is built, and the source that each begins with.
BUILT = STATIC / "monitio.js"
CARDS = STATIC / "monitio-cards.js"
INBOX = STATIC / "monitio-inbox.js"
PUSH = STATIC / "monitio-push.js"
ENTRIES = {BUILT: "monitio.js", CARDS: "cards.js", INBOX: "inbox.js", PUSH: "push.js"}
STYLE_SHEETS = {STATIC / name: SOURCES / name for name in ("monitio.css", "pages.css")}
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
MINIFY = ROOT / "tools" / "minify.mjs"
OPTIONS = (
    "--bundle --minify-syntax --format=esm --charset=utf8 --target=esnext --legal-comments=none "
    "--loader:.css=text --sourcemap"
).split()


def sources() -> list[Path]:
    """Those of the modules; the npm package has further ones."""
    return sorted(
        path
        for path in SOURCES.rglob("*")
        if path.suffix in {".js", ".css"}
        and path.parent.name != "package"
        and path not in STYLE_SHEETS.values()
    )


def header(file: Path) -> str:
    """The first line of a built file, with a digest of what it was built from, in 8 letters."""
    style_sheet = STYLE_SHEETS.get(file)
    whole = hashlib.sha256()
    for path in [style_sheet] if style_sheet else sources():
        text = path.read_bytes().replace(b"\r\n", b"\n")
        whole.update(f"{path.relative_to(SOURCES).as_posix()} {len(text)}\n".encode() + text)
    return f"/* From frontend, {whole.hexdigest()[:8]}, by `make static`. */"


def build(file: Path) -> dict[Path, str]:
    """A style sheet, or a module and its source map, as they are shipped."""
    if file in STYLE_SHEETS:
        text = STYLE_SHEETS[file].read_text(encoding="utf-8")
        return {file: f"{header(file)}\n{minified(text)}\n"}
    with TemporaryDirectory() as folder:
        for path in sources():
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".css":
                text = minified(text)
            copy = Path(folder, path.relative_to(SOURCES))
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(text, encoding="utf-8")
        # Beside the sources, so that the map names them without the folder.
        out = Path(folder, file.name).with_suffix(".out.js")
        _run("", ESBUILD, str(Path(folder, ENTRIES[file])), *OPTIONS, f"--outfile={out}")
        joined = {
            "file": file.name,
            "code": out.read_text(encoding="utf-8"),
            "map": json.loads(Path(f"{out}.map").read_text(encoding="utf-8")),
        }
    built = json.loads(_run(json.dumps(joined), "node", str(MINIFY)))
    source_map = Path(f"{file}.map")
    # The header is a line of its own, before those of the map.
    built["map"]["mappings"] = ";" + built["map"]["mappings"]
    return {
        file: f"{header(file)}\n{built['code'].rstrip()}\n//# sourceMappingURL={source_map.name}\n",
        source_map: json.dumps(built["map"], ensure_ascii=False, separators=(",", ":")) + "\n",
    }


@cache
def minified(style_sheet: str) -> str:
    """Each module contains it."""
    return _run(style_sheet, ESBUILD, "--loader=css", "--minify", "--target=chrome123").strip()


def _run(text: str, *command: str | Path) -> str:
    run = subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", check=False, cwd=ROOT
    )
    if run.returncode:
        sys.exit(run.stderr)
    return run.stdout


def main() -> None:
    if not ESBUILD.exists():
        sys.exit("esbuild is missing: run `npm ci` (Node 20.19 or newer) and try again.")
    for entry in (*ENTRIES, *STYLE_SHEETS):
        for file, text in build(entry).items():
            file.write_text(text, encoding="utf-8", newline="\n")
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

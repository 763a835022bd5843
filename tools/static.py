"""Build what browsers load from the sources in frontend: python tools/static.py

One plain, readable module without comments: esbuild joins the sources and drops the comments, then
prints the result anew; style sheets become short texts in it. A digest of the sources in its first
line says what it was built from: a test without Node notices what was changed and not built.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "frontend"
BUILT = ROOT / "monitio" / "static" / "monitio" / "monitio.js"
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
SCRIPT = ("--format=esm", "--charset=utf8", "--target=esnext", "--legal-comments=none")
# A hint for minifiers that esbuild leaves between the words.
HINT = "/* @__PURE__ */ "
EMPTY = re.compile(r"\{\n *\}")
INDENTATION = re.compile("^(?:  )+", re.MULTILINE)


def sources() -> list[Path]:
    return sorted(path for path in SOURCES.rglob("*") if path.suffix in {".js", ".css"})


def digest() -> str:
    """What the sources say, in 8 letters."""
    whole = hashlib.sha256()
    for path in sources():
        text = path.read_bytes().replace(b"\r\n", b"\n")
        whole.update(f"{path.relative_to(SOURCES).as_posix()} {len(text)}\n".encode() + text)
    return whole.hexdigest()[:8]


def header() -> str:
    return f"/* From frontend, {digest()}, by `make static`. */\n"


def build() -> str:
    """The module as it is shipped."""
    printed = EMPTY.sub("{}", _esbuild(_joined(), *SCRIPT).replace(HINT, ""))
    return header() + INDENTATION.sub(lambda found: "\t" * (len(found[0]) // 2), printed)


def minified() -> str:
    """As small as a site's own tools can make it."""
    return _esbuild(_joined(), *SCRIPT, "--minify")


def _joined() -> str:
    with TemporaryDirectory() as folder:
        for path in sources():
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".css":
                text = _esbuild(text, "--loader=css", "--minify", "--target=chrome123").strip()
            copy = Path(folder, path.relative_to(SOURCES))
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(text, encoding="utf-8")
        options = ("--bundle", "--loader:.css=text", "--minify-whitespace")
        return _esbuild("", str(Path(folder, "monitio.js")), *SCRIPT, *options)


def _esbuild(text: str, *options: str) -> str:
    run = subprocess.run(
        [str(ESBUILD), *options], input=text, capture_output=True, encoding="utf-8", check=False
    )
    if run.returncode:
        sys.exit(run.stderr)
    return run.stdout


def main() -> None:
    if not ESBUILD.exists():
        sys.exit("esbuild is missing: run `npm ci` (Node 20.19 or newer) and try again.")
    BUILT.write_text(build(), encoding="utf-8", newline="\n")
    print(f"{BUILT.relative_to(ROOT)}: {BUILT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

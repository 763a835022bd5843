"""Find words that personify code: python tools/vocabulary.py

Comments, docstrings and documents are written as the field writes: subject, verb, object, the actor
named by its noun. Prints every word of the list with its place; exit 1 where there are too many.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = (
    "monitio", "monitio_celery", "monitio_tasks",
    "benchmarks", "examples", "tests", "tools",
)  # fmt: skip
WORDS = re.compile(
    r"\b(somebody|nobody|whoever|whomever|anew|told|tells?|telling|says?|saying|hears?|heard"
    r"|lest|mended?|cured?|whence|thereof)\b",
    re.IGNORECASE,
)
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
# Words of the list in a thousand: some are the right ones, in a quotation for example.
CODE_LIMIT, DOCUMENTS_LIMIT = 2.0, 3.0
Prose = Iterator[tuple[str, int, str]]


def of_code() -> Prose:
    """The comments and docstrings: file, line, text."""
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                name, source = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
                yield from ((name, line, text) for line, text in _docstrings(source))
                yield from ((name, line, text) for line, text in _comments(source))


def of_documents() -> Prose:
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        text = CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), path.read_text("utf-8"))
        for number, line in enumerate(text.splitlines(), 1):
            yield str(path.relative_to(ROOT)), number, line


def _docstrings(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield node.body[0].lineno, text


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def check(title: str, prose: Prose, limit: float) -> bool:
    """Print what is found; whether it is few enough."""
    words, found = 0, []
    for name, first, text in prose:
        words += len(re.findall(r"[A-Za-z]+", text))
        for match in WORDS.finditer(text):
            found.append(f"{name}:{first + text[: match.start()].count(chr(10))}: {match[0]}")
    rate = 1000 * len(found) / max(1, words)
    if rate > limit:
        print("\n".join(found))
    print(f"{title}: {rate:.1f} in a thousand words, at most {limit:g}.")
    return rate <= limit


if __name__ == "__main__":
    good = [
        check("Comments and docstrings", of_code(), CODE_LIMIT),
        check("Documents", of_documents(), DOCUMENTS_LIMIT),
    ]
    sys.exit(not all(good))

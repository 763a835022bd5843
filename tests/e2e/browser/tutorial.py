"""Parse docs/tutorial.md into steps: commands to run, and files to write."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(?P<kind>sh|python|django)\n(?P<code>.*?)^```", re.M | re.S)
NAME = re.compile(r"^(?:#|\{#) (?P<path>[\w./]+)(?P<at_end>, at the end)?")


@dataclass(frozen=True)
class Command:
    """A shell command: its words, and the variables assigned before them."""

    words: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class File:
    path: str
    text: str
    at_end: bool


def steps(page: Path) -> Iterator[tuple[str, Command | File]]:
    """Each step of the page with its heading."""
    for section in re.split(r"^## ", page.read_text(), flags=re.M):
        heading = section.partition("\n")[0]
        for block in BLOCK.finditer(section):
            if block["kind"] == "sh":
                for line in block["code"].splitlines():
                    words = shlex.split(line)
                    given = [word for word in words if re.match(r"[A-Z_]+=", word)]
                    pairs = dict(word.split("=", 1) for word in given)
                    yield heading, Command(words[len(given) :], pairs)
            else:
                named = NAME.match(block["code"])
                assert named, f"This block does not name its file:\n{block['code']}"
                yield heading, File(named["path"], block["code"], bool(named["at_end"]))

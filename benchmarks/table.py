"""The result of a benchmark: medians by subject, and their ratios."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Table:
    """``rounds`` holds the rows of every round by subject; a row has a number for each column."""

    title: str
    method: str
    columns: Sequence[str]
    rounds: Mapping[str, Sequence[Row]]
    # The subject that the others are divided by; None: no ratios.
    reference: str | None = None
    # Numbers that later computations need, for example how many streams were open.
    facts: Mapping[str, float] = field(default_factory=dict)

    def medians(self) -> dict[str, dict[str, float]]:
        """By subject and column, over the rounds; without the columns a subject does not have."""
        return {
            subject: {
                column: statistics.median(row[column] for row in rows if column in row)
                for column in self.columns
                if any(column in row for row in rows)
            }
            for subject, rows in self.rounds.items()
        }

    def ratios(self) -> dict[str, dict[str, float]]:
        """Each median divided by that of the reference."""
        medians = self.medians()
        if self.reference not in medians:
            return {}
        base = medians[self.reference]
        return {
            subject: {name: value / base[name] for name, value in values.items() if base.get(name)}
            for subject, values in medians.items()
            if subject != self.reference
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "method": self.method,
            "reference": self.reference,
            **self.facts,
            "medians": self.medians(),
            "ratios": self.ratios(),
            "rounds": {subject: list(rows) for subject, rows in self.rounds.items()},
        }

    def markdown(self) -> str:
        parts = [f"### {self.title}", self.method, _table(self.columns, self.medians())]
        if ratios := self.ratios():
            parts += [f"Divided by {self.reference}:", _table(self.columns, ratios)]
        return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Mapping[str, Mapping[str, float]]) -> str:
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [
        [subject, *(f"{row[name]:.3g}" if name in row else "–" for name in columns)]
        for subject, row in rows.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

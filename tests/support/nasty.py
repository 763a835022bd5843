"""Texts, numbers and dates that sites receive, each refused by some database, page or e-mail."""

from __future__ import annotations

import datetime as d
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

TEXTS = {
    "NUL": "a\0b",
    "NUL alone": "\0",
    "high surrogate": "a\ud83db",
    "low surrogate": "file-\udcff.csv",
    "pair of surrogates": "\ud83d\ude00",
    "override to the left": "invoice\u202efdp.exe",
    "override to the right": "a\u202db",
    "embedding left open": "a\u202bb",
    "isolate left open": "a\u2067b",
    "line breaks": "a\r\nBcc: eve@example.com\r\n\r\nb",
    "Unicode's line breaks": "a\u2028b\u2029c\x85d",
    "control characters": "\x01\x08\x1b[31m\x7f\x9b",
    "byte order mark": "\ufeffa",
    "noncharacters": "\uffff\ufdd0",
    "emoji": "👩\u200d👩\u200d👧 🏴",
    "combining": "Z" + "\u0353" * 50,
    "right to left": "שלום عالم",
    "markup": "<script>alert(1)</script>&amp;'\"",
    "NUL in markup": "<\0script>alert(1)</script>",
    "script": "javascript:alert(1)",
    "hidden script": "java\tscript:alert(1)",
    "placeholders": "%s %(x)s {y} {0.__class__} %",
    "quotes": "'; DROP TABLE monitio_message; --\\",
    "longer than most columns": "x" * 300,
    "longer than a link": "/" + "x" * 3000,
    "large": "ä" * 70_000,
    "spaces": " \u00a0\u3000 ",
    "nothing": "",
}

NUMBERS = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "less than anything": float("-inf"),
    "negative": -1,
    "zero": 0,
    "fraction": 0.5,
    "true": True,
    "false": False,
    "seven": 7,
    "of 32 bits": 2**31,
    "of 63 bits": 2**63,
    "huge": 10**400,
    "huge float": 1.7e308,
    "tiny float": 5e-324,
    "decimal": Decimal("1.5"),
    "decimal nan": Decimal("NaN"),
    "decimal snan": Decimal("sNaN"),
    "decimal infinity": Decimal("Infinity"),
    "complex": 1j,
    "word": "info",
    "digits": "20",
    "digits of another script": "२०",
    "many digits": "9" * 5000,
    "bytes": b"20",
    "list": [20],
    "dict": {},
    "object": object(),
}

_YEAR = d.datetime.now(d.UTC).year + 1
MOMENTS: dict[str, Any] = {
    "naive": d.datetime(_YEAR, 1, 1),
    "aware": d.datetime(_YEAR, 1, 1, tzinfo=d.UTC),
    "elsewhere": d.datetime(_YEAR, 1, 1, tzinfo=ZoneInfo("Asia/Kathmandu")),
    "left out by the clocks": d.datetime(2027, 3, 28, 2, 30),
    "repeated by the clocks": d.datetime(2027, 10, 31, 2, 30, fold=1),
    "naive end of time": d.datetime.max,
    "naive beginning of time": d.datetime.min,
    "aware end of time": d.datetime.max.replace(tzinfo=d.UTC),
    "aware beginning of time": d.datetime.min.replace(tzinfo=d.UTC),
    "end of time in the west": d.datetime.max.replace(tzinfo=d.timezone(-d.timedelta(hours=23))),
    "beginning of time in the east": d.datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    "last that there is": d.datetime(9998, 12, 31, 23, 59, 59, tzinfo=d.UTC),
    "first that there is": d.datetime(1000, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
    "date": d.date(_YEAR, 1, 1),
    "time": d.time(12, 0),
    "timedelta": d.timedelta(days=1),
    "number": 5,
    "word": "tomorrow",
    "infinity": float("inf"),
}

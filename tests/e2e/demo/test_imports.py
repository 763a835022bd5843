"""Importing contacts as a visitor of the demo."""

from __future__ import annotations

import csv
import io
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.demo.running import ROOT, Demo, Visitor
from tests.support.waiting import wait_until

HEADER = "name,email,city\n"
POLISH = "imię i nazwisko;e-mail;miasto\nŻaneta Śliwińska;zaneta@example.com;Łódź\n"
ROW = "Ann,ann@example.com,Paris\n"


PRINT_SAMPLE = """
import sys
from examples.demo.contacts import sample
sys.stdout.buffer.write(sample.text().encode())
"""


def rejected_rows(visitor: Visitor, message: dict[str, Any]) -> list[list[str]]:
    """The rows of the file that the message offers."""
    text = visitor.file(message).content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def contacts(demo: Demo) -> list[tuple[str, str]]:
    """Name and city of the contacts that the newest import has stored."""
    with closing(sqlite3.connect(demo.folder.path / "var" / "db.sqlite3")) as database:
        return database.execute(
            "SELECT name, city FROM contacts_contact WHERE source_id ="
            " (SELECT MAX(id) FROM contacts_import)"
        ).fetchall()


def test_the_sample_ends_with_its_counts_and_the_rejected_rows(visitor: Visitor) -> None:
    message = visitor.follow("/import/sample/")
    assert message["title"] == "Import of contacts.csv: done"
    assert message["body"] == "19,712 contacts imported, 288 rejected"
    assert [file["name"] for file in message["job"]["files"]] == ["contacts-rejected.csv"]
    rows = rejected_rows(visitor, message)
    assert rows[0] == ["name", "email", "city", "phone", "line", "reason"]
    assert len(rows) == 1 + 288
    assert {row[-1].split(":")[0] for row in rows[1:]} == {
        "no name",
        "no e-mail address",
        "not an e-mail address",
        "more values than columns",
        f"the address {message_duplicate(rows)} appears more than once",
    }


def message_duplicate(rows: list[list[str]]) -> str:
    return next(row[1] for row in rows if row[-1].endswith("more than once"))


def test_the_sample_matches_its_generator() -> None:
    made = subprocess.run(
        [
            sys.executable,
            "-c",
            PRINT_SAMPLE,
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    sample = ROOT / "examples/demo/sample/contacts.csv"
    assert made.stdout == sample.read_bytes()
    assert len(made.stdout) < 1_000_000


def test_no_one_else_gets_the_rejected_rows(visitor: Visitor, stranger: Visitor) -> None:
    message = visitor.upload((HEADER + "Ann,,\n" + ROW).encode())
    assert visitor.file(message).status_code == 200
    assert stranger.file(message).status_code == 404
    stranger.post("/log-in/ann/")
    assert stranger.file(message).status_code == 404


def test_the_rejected_rows_stay_with_a_visitor_who_logs_in(visitor: Visitor) -> None:
    message = visitor.upload((HEADER + "Ann,,\n" + ROW).encode())
    visitor.post("/log-in/bob/")
    visitor.get("/")
    assert visitor.file(message).status_code == 200


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1250"]
)
def test_any_encoding_is_recognised(shared_demo: Demo, visitor: Visitor, encoding: str) -> None:
    message = visitor.upload(POLISH.encode(encoding))
    assert message["body"] == "1 contact imported, 0 rejected"
    assert not message["job"].get("files")
    assert contacts(shared_demo) == [("Żaneta Śliwińska", "Łódź")]


def test_latin_1_is_recognised(shared_demo: Demo, visitor: Visitor) -> None:
    text = HEADER + "".join(
        f"Élodie Lefèvre,e{n}@example.com,Orléans près de la forêt\n" for n in range(3)
    )
    visitor.upload(text.encode("latin-1"))
    assert contacts(shared_demo)[0] == ("Élodie Lefèvre", "Orléans près de la forêt")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_is_recognised(visitor: Visitor, delimiter: str) -> None:
    message = visitor.upload((HEADER + ROW).replace(",", delimiter).encode())
    assert message["body"] == "1 contact imported, 0 rejected"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_any_line_end_is_recognised(visitor: Visitor, end: str) -> None:
    message = visitor.upload((HEADER + ROW).replace("\n", end).encode())
    assert message["body"] == "1 contact imported, 0 rejected"


def test_a_file_without_a_last_line_end_and_with_empty_lines_is_read(visitor: Visitor) -> None:
    message = visitor.upload((HEADER + "\n" + ROW + "\n\n" + "Bob,bob@example.com").encode())
    assert message["body"] == "2 contacts imported, 0 rejected"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n", "The file is empty."),
        (HEADER.encode(), "There are no rows below the first line."),
        (b"name,city\nAnn,Paris\n", "not: name, city"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "not a text file"),
        (b"\x00\x01\x02" * 999, "not a text file"),
        ((HEADER + ROW + '"Bob,' + ROW * 9000).encode(), "Is a closing quote missing?"),
    ],
    ids=["blank", "only-header", "missing-column", "picture", "zeros", "quotation"],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason(
    shared_demo: Demo, visitor: Visitor, content: bytes, reason: str
) -> None:
    message = visitor.upload(content)
    assert message["title"] == "Import of mine.csv: failed"
    assert reason in message["body"]
    assert contacts(shared_demo) == []


def test_a_spreadsheet_is_recognised(visitor: Visitor) -> None:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    message = visitor.upload(book.getvalue(), "contacts.xlsx")
    assert "Save the table as CSV" in message["body"]


def test_an_empty_file_is_refused_at_once(visitor: Visitor) -> None:
    answer = visitor.post("/import/", files={"file": ("empty.csv", b"", "text/csv")})
    assert answer.status_code == 400
    assert answer.json()["problem"] == "The file is empty."


def test_no_file_is_refused_at_once(visitor: Visitor) -> None:
    assert visitor.post("/import/").json()["problem"] == "Choose a file first."


def test_reasons_are_in_the_language_of_the_uploader(polish_visitor: Visitor) -> None:
    message = polish_visitor.upload((HEADER + "Ann,,\n" + ROW).encode())
    assert message["body"] == "1 kontakt zaimportowany, 1 odrzucony"
    rows = rejected_rows(polish_visitor, message)
    assert rows == [
        ["name", "email", "city", "linia", "przyczyna"],
        ["Ann", "", "", "2", "brak adresu e-mail"],
    ]


@pytest.mark.soak
def test_100_megabytes_are_imported_in_bounded_memory(shared_demo: Demo, visitor: Visitor) -> None:
    """Takes minutes; the worker's memory must not grow with the file."""
    row = "Ann Smith,ann{}@example.com,A rather long name of a city\n"
    content = HEADER + "".join(row.format(number) for number in range(1_700_000))
    assert len(content) > 100_000_000
    largest = 0
    visitor.browser.timeout = 120
    answer = visitor.post("/import/", files={"file": ("big.csv", content.encode(), "text/csv")})
    assert answer.status_code == 200

    def ended() -> dict[str, Any] | None:
        nonlocal largest
        workers = [p for p in shared_demo.family() if "worker" in " ".join(p.cmdline())]
        largest = max(largest, *(worker.memory_info().rss for worker in workers))
        message = visitor.messages()[0]
        return message if message["job"]["state"] in ("succeeded", "failed") else None

    message = wait_until(ended, 900, interval=0.5) or {}
    assert message["body"] == "1,700,000 contacts imported, 0 rejected"
    assert largest < 250 * 1024 * 1024

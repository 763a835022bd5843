"""Reading the CSV files that people really have: encodings, delimiters, missing columns.

Every problem is a ``UnreadableFile`` whose text is for the person who uploaded the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from charset_normalizer import from_bytes
from django.utils.translation import gettext as _

from monitio.exceptions import UserFacingError

CHUNK = 1024 * 1024
SAMPLE = 64 * 1024
BOMS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 first: its mark begins like the one of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
# What spreadsheets write that do not write UTF-8, most widespread first. The last fits every file.
OLD_ENCODINGS = ["cp1252", "cp1250", "iso8859_2", "cp1251", "latin_1"]
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
DELIMITERS = ",;\t|"
COLUMNS = {
    "name": ["name", "full name", "contact", "imię i nazwisko", "nazwa", "nazwisko"],
    "email": ["email", "e-mail", "mail", "e-mail address", "email address", "adres e-mail"],
    "city": ["city", "town", "miasto", "miejscowość"],
    "phone": ["phone", "telephone", "phone number", "telefon", "nr telefonu"],
}
REQUIRED = ["name", "email"]


class UnreadableFile(UserFacingError):
    """The file cannot be imported at all."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: where it ends in the file, its values as they stand there, and those we know."""

    line: int
    values: list[str]
    fields: dict[str, str]
    # The row has more values than the first line has names.
    too_long: bool


class CsvFile:
    """A binary file, opened; ``header`` names its columns and iterating gives its ``Row``s.

    Memory stays bounded whatever the size. Raises ``UnreadableFile``.
    """

    def __init__(self, binary: IO[bytes]) -> None:
        self.binary = binary
        self.encoding = find_encoding(binary)
        self.lines = count_lines(binary)
        binary.seek(0)
        self._text = io.TextIOWrapper(binary, encoding=self.encoding, newline="")
        self.delimiter = find_delimiter(self._text.read(SAMPLE))
        self._text.seek(0)
        self._reader = csv.reader(self._text, delimiter=self.delimiter)
        self.header = next(self._rows(), [])
        if not any(name.strip() for name in self.header):
            raise UnreadableFile(_("The file is empty."))
        self._places = find_columns(self.header)

    def __iter__(self) -> Iterator[Row]:
        for values in self._rows():
            if any(value.strip() for value in values):
                yield Row(
                    line=self._reader.line_num,
                    values=values,
                    fields={name: self._value(values, place) for name, place in self._places},
                    too_long=len(values) > len(self.header),
                )

    def detach(self) -> None:
        """Release the binary file without closing it: the caller has opened it."""
        self._text.detach()

    def _value(self, values: list[str], place: int) -> str:
        return values[place].strip() if place < len(values) else ""

    def _rows(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except csv.Error:
            # Nearly always: the reader has taken the rest of the file for one value.
            raise UnreadableFile(
                _("The rows after line %(line)d can’t be read. Is a closing quote missing?")
                % {"line": self._reader.line_num}
            ) from None
        except UnicodeError:
            raise UnreadableFile(_unknown_encoding()) from None


def find_encoding(binary: IO[bytes]) -> str:
    """The encoding of a text file. Raises ``UnreadableFile`` for anything that is not text."""
    binary.seek(0)
    head = binary.read(SAMPLE)
    if not head.strip():
        raise UnreadableFile(_("The file is empty."))
    if head.startswith(SPREADSHEETS):
        raise UnreadableFile(
            _("This is a spreadsheet or an archive. Save the table as CSV and import that file.")
        )
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        return _wide_encoding(head)
    if _has_control_characters(head):
        raise UnreadableFile(_not_text())
    return "utf-8" if _decodes(binary, "utf-8") else _old_encoding(binary)


def _wide_encoding(head: bytes) -> str:
    """UTF-16 without its mark has a zero in every second place; other files are no text."""
    half = len(head) // 2
    zeros = head[::2].count(0), head[1::2].count(0)
    if zeros[1] > half * 0.4 and zeros[0] < half * 0.1:
        return "utf-16-le"
    if zeros[0] > half * 0.4 and zeros[1] < half * 0.1:
        return "utf-16-be"
    raise UnreadableFile(_not_text())


def _old_encoding(binary: IO[bytes]) -> str:
    """The likeliest of the one-byte encodings, judged by the lines that are not ASCII."""
    binary.seek(0)
    head = binary.read(SAMPLE)
    binary.seek(0)
    samples = []
    size = 0
    for line in binary:
        if not line.isascii():
            samples.append(line[:1000])
            size += len(samples[-1])
        if size > SAMPLE:
            break
    guesses = from_bytes(b"".join(samples), cp_isolation=OLD_ENCODINGS)
    # Of guesses that are equally good, the more widespread encoding.
    ranked = sorted((guess.chaos, OLD_ENCODINGS.index(guess.encoding)) for guess in guesses)
    likely = dict.fromkeys([*(OLD_ENCODINGS[place] for _chaos, place in ranked), *OLD_ENCODINGS])
    readable = [encoding for encoding in likely if _decodes(binary, encoding)]
    # A short text is weak evidence; known names of columns are better.
    return next((one for one in readable if _names_columns(head, one)), readable[0])


def _names_columns(head: bytes, encoding: str) -> bool:
    first = head.decode(encoding, "replace").splitlines()[0]
    try:
        find_columns(next(csv.reader([first], delimiter=find_delimiter(first))))
    except UnreadableFile:
        return False
    return True


def _decodes(binary: IO[bytes], encoding: str) -> bool:
    binary.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := binary.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _has_control_characters(head: bytes) -> bool:
    controls = len(re.findall(rb"[\x01-\x08\x0e-\x1f]", head))
    return controls > len(head) * 0.02


def count_lines(binary: IO[bytes]) -> int:
    """About how many rows there are: line ends, also those of old Macs."""
    binary.seek(0)
    ends = {b"\n": 0, b"\r": 0}
    while chunk := binary.read(CHUNK):
        for end in ends:
            ends[end] += chunk.count(end)
    return max(ends.values())


def find_delimiter(sample: str) -> str:
    """What separates the values; a comma when nothing seems to."""
    first = sample.splitlines()[0] if sample.strip() else ""
    try:
        found = csv.Sniffer().sniff(sample, DELIMITERS).delimiter
    except csv.Error:
        found = ","
    # The sniffer believes in regular rows; the header knows better when the two disagree.
    return found if found in first else max(DELIMITERS, key=first.count)


def find_columns(header: list[str]) -> list[tuple[str, int]]:
    """Which field stands where. Raises ``UnreadableFile`` when a required one is missing."""
    names = [re.sub(r"[\s_]+", " ", name).strip().lower() for name in header]
    places = [
        (field, names.index(known))
        for field, alternatives in COLUMNS.items()
        for known in [next((name for name in alternatives if name in names), None)]
        if known is not None
    ]
    missing = [name for name in REQUIRED if name not in dict(places)]
    if missing:
        raise UnreadableFile(
            _("The first line must contain the columns “name” and “email”, not: %(names)s")
            % {"names": ", ".join(name.strip() for name in header)[:200]}
        )
    return places


def _not_text() -> str:
    return _("This is not a text file. Import a CSV file.")


def _unknown_encoding() -> str:
    return _("The characters in this file can’t be read. Save it as UTF-8 and import it again.")

"""From rows to contacts: what is wrong with a row, and storing the good ones in batches."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePath
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from examples.demo.contacts.csv_files import CsvFile, Row, UnreadableFile
from examples.demo.contacts.models import Contact, Import
from monitio_celery import attach

BATCH = 1000
LIMITS = {"name": 200, "email": 254, "city": 100, "phone": 40}


def run(pk: int, follow: Callable[[CsvFile], Iterable[Row]] = iter) -> Import:
    """Import the file of ``Import`` ``pk``; ``follow`` may watch the rows go by.

    A second run begins from the first line again. Raises ``UnreadableFile``; nothing is stored
    then.
    """
    entry = Import.objects.get(pk=pk)
    _forget(entry)
    try:
        with translation.override(entry.language or None), Path(entry.file.path).open("rb") as file:
            _import(entry, file, follow)
    except UnreadableFile as error:
        _forget(entry)
        entry.problem = str(error)
        raise
    finally:
        entry.finished = timezone.now()
        entry.save()
    return entry


def _forget(entry: Import) -> None:
    entry.contacts.all().delete()
    entry.imported = entry.rejected = 0
    entry.problem = ""


def _import(entry: Import, upload: IO[bytes], follow: Callable[[CsvFile], Iterable[Row]]) -> None:
    file = CsvFile(upload)
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8-sig", newline="") as rejected:
        rejects = csv.writer(rejected)
        rejects.writerow([*file.header, _("line"), _("reason")])
        for rows in _batches(follow(file)):
            bad = list(_store(entry, rows))
            entry.rejected += len(bad)
            entry.imported += len(rows) - len(bad)
            width = len(file.header)
            rejects.writerows(
                [*(row.values + [""] * width)[: max(width, len(row.values))], row.line, reason]
                for row, reason in bad
            )
        if not entry.imported and not entry.rejected:
            raise UnreadableFile(_("There are no rows below the first line."))
        if entry.rejected:
            rejected.flush()
            attach(rejected.name, name=f"{PurePath(entry.file_name).stem}-rejected.csv")


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _store(entry: Import, rows: list[Row]) -> Iterator[tuple[Row, str]]:
    """Store the good rows of a batch. Yields the others, each with the reason."""
    addresses = [row.fields["email"].lower() for row in rows]
    known = entry.contacts.filter(email__in=addresses).values_list("email", flat=True)
    seen = set(known)
    contacts = []
    for row in rows:
        reason = what_is_wrong(row) or _add_address(row, seen)
        if reason:
            yield row, reason
        else:
            fields: dict[str, Any] = {**row.fields, "email": row.fields["email"].lower()}
            contacts.append(Contact(source=entry, **fields))
    with transaction.atomic():
        Contact.objects.bulk_create(contacts)


def what_is_wrong(row: Row) -> str:
    """Why this row cannot become a contact; empty when it can."""
    if row.too_long:
        return _("more values than columns")
    for name, limit in LIMITS.items():
        if len(row.fields.get(name, "")) > limit:
            return _("%(column)s is longer than %(limit)d characters") % {
                "column": name,
                "limit": limit,
            }
    if not row.fields["name"]:
        return _("no name")
    if not row.fields["email"]:
        return _("no e-mail address")
    try:
        validate_email(row.fields["email"])
    except ValidationError:
        return _("not an e-mail address: %(value)s") % {"value": row.fields["email"]}
    return ""


def _add_address(row: Row, seen: set[str]) -> str:
    address = row.fields["email"].lower()
    if address in seen:
        return _("the address %(value)s appears more than once") % {"value": address}
    seen.add(address)
    return ""

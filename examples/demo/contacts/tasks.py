"""The demo's tasks. ``@notify_user`` notifies the user who started one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from celery import Task, shared_task
from django.utils import formats
from django.utils.translation import gettext, gettext_lazy, ngettext

from examples.demo.contacts import importing
from examples.demo.contacts.csv_files import CsvFile, Row
from examples.demo.contacts.pace import watchable
from monitio.exceptions import UserFacingError
from monitio.jobs.outcome import Outcome
from monitio_celery import Cancelled, cancelled, notify_user, track

# The devices and services that users add in their notification settings.
DEVICES = {"push": True, "apprise": True}


def grouped(number: int) -> str:
    """19,712 or 19 712, as the active language has it."""
    return str(formats.number_format(number, use_l10n=True, force_grouping=True))


def rows_done(outcome: Outcome) -> str:
    """“8,000 of 20,000 rows”, as the reader's language writes numbers."""
    done, total = (grouped(int(number or 0)) for number in (outcome.done, outcome.total))
    return gettext("{done} of {total} rows").format(done=done, total=total)


def imported_and_rejected(outcome: Outcome) -> str:
    """“19,712 imported, 288 rejected”, in the reader's language."""
    result: Any = outcome.result
    imported, rejected = (
        ngettext("%(number)s contact imported", "%(number)s contacts imported", result["imported"]),
        ngettext("%(number)s rejected", "%(number)s rejected", result["rejected"]),
    )
    return ", ".join(
        text % {"number": grouped(number)}
        for text, number in [(imported, result["imported"]), (rejected, result["rejected"])]
    )


@shared_task
@notify_user(
    title=gettext_lazy("Import of {file_name}"),
    progress=rows_done,
    success=imported_and_rejected,
    arguments=["file_name"],
    category="imports",
    via=DEVICES,
)
def import_contacts(pk: int, file_name: str) -> dict[str, int]:
    """The rejected rows are a file of the task: ``importing`` attaches it."""

    def follow(file: CsvFile) -> Iterable[Row]:
        total = max(file.lines - 1, 1)
        return track(watchable(file, total), total=total)

    entry = importing.run(pk, follow)
    return {"imported": entry.imported, "rejected": entry.rejected}


@shared_task
@notify_user(
    title=gettext_lazy("Month-end closing"), retryable=True, category="billing", via=DEVICES
)
def fail() -> None:
    for _step in track(range(3)):
        time.sleep(0.5)
    # Only the text of a UserFacingError reaches people; the traceback goes to the worker's log.
    # Lazily translated, into the language of the user who started the task.
    raise UserFacingError(
        gettext_lazy("Three October invoices have no date. Add the dates and try again.")
    )


def next_retry(outcome: Outcome) -> str:
    return gettext("The bank did not answer. Retry %(number)d of 3 in 3 sec.") % {
        "number": outcome.attempt + 1
    }


@shared_task(bind=True, autoretry_for=(ConnectionError,), max_retries=3, default_retry_delay=3)
@notify_user(
    title=gettext_lazy("Exchange rates"),
    retry=next_retry,
    success=gettext_lazy("The bank answered on attempt {attempt}."),
    category="billing",
)
def flaky(self: Task[Any, Any]) -> None:
    time.sleep(1)
    if self.request.retries < 2:
        raise ConnectionError("bank.example does not answer")


@shared_task
@notify_user(
    title=gettext_lazy("Yearly archive"),
    progress=gettext_lazy("Week {done} of {total}. You can leave and come back."),
    success=gettext_lazy("All 52 weeks are archived."),
    cancel=True,
    category="system",
    via=DEVICES,
)
def one_minute() -> None:
    for _week in track(range(52)):
        # The demo's worker could stop the process; where none can, the task stops by itself.
        if cancelled():
            raise Cancelled
        time.sleep(60 / 52)


@shared_task
def check_branch(number: int) -> int:
    """One part of eight. Users see the group alone; its bar moves with each record."""
    records = number * 3
    for _record in track(range(records)):
        time.sleep((0.5 + number % 3) / records)
    return records


@shared_task
def add_up(findings: list[int]) -> int:
    return sum(findings)


def contacts_in_all(outcome: Outcome) -> str:
    number: Any = outcome.result
    text = ngettext("There is %(number)s contact.", "There are %(number)s contacts.", number)
    return text % {"number": grouped(number)}


@shared_task
@notify_user(
    title=gettext_lazy("Monthly report"),
    success=contacts_in_all,
    url="/",
    url_label=gettext_lazy("See the contacts"),
    category="imports",
    email=True,
)
def mail_report() -> int:
    from examples.demo.contacts.models import Contact

    for _page in track(range(10)):
        time.sleep(0.2)
    return Contact.objects.count()

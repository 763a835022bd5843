from __future__ import annotations

import json
from dataclasses import asdict
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from monitio.management.doctor import pages, transport, web, work  # noqa: F401 - they register faults
from monitio.management.doctor.attempt import attempt
from monitio.management.doctor.client import end_session
from monitio.management.doctor.registry import (
    ERROR,
    FAULTS,
    NOTHING_LIVE,
    OK,
    SKIPPED,
    Site,
    examine,
)
from monitio.management.users import user_named


class Command(BaseCommand):
    help = (
        "Examines the installation, from settings to the stream of a page, and names each fault "
        "with its cure. Exit status 1 when it finds an error."
    )
    # It runs, and explains, them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url", default="", help="also examine the site at this address, for example https://…"
        )
        parser.add_argument(
            "--try", metavar="USER", dest="user", help="start a task for this user; time each step"
        )
        parser.add_argument("--json", action="store_true", help="findings as a JSON list")
        parser.add_argument(
            "--list", action="store_true", help="all faults as a Markdown table; examines nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        autodiscover_modules("monitio_doctor")
        if options["list"]:
            self.stdout.write(table())
            return
        if options["url"] and not options["url"].startswith(("https://", "http://")):
            raise CommandError("--url needs a whole address, for example https://example.com.")
        site = Site(options["url"], user_named(options["user"]) if options["user"] else None)
        findings = []
        try:
            for finding in chain(examine(site), attempt(site) if site.user else ()):
                findings.append(finding)
                if not options["json"]:
                    self.show(finding)
        finally:
            end_session(site)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        errors = [finding.id for finding in findings if finding.status == ERROR]
        if errors:
            noun = "error" if len(errors) == 1 else "errors"
            raise CommandError(f"{len(errors)} {noun}: {', '.join(errors)}")

    def show(self, finding: Any) -> None:
        styles = {ERROR: self.style.ERROR, OK: self.style.SUCCESS, SKIPPED: self.style.NOTICE}
        style = styles.get(finding.status, self.style.WARNING)
        line = f"{style(finding.status.ljust(8))} {finding.id}"
        self.stdout.write(f"{line}: {finding.saw}" if finding.saw else line)
        if finding.cure:
            self.stdout.write(f"         {finding.cure} ({finding.docs})")


def table() -> str:
    """Symptom, cause and cure of each fault."""
    rows = ["| symptom | cause | cure | found as |", "|---|---|---|---|"]
    # What users ask most comes first.
    order = sorted(FAULTS.values(), key=lambda it: (it.symptom != NOTHING_LIVE, it.symptom, it.id))
    for fault in order:
        page = fault.docs.removeprefix("docs/")
        link = f"[{page.removesuffix('.md')}]({page})"
        rows.append(f"| {fault.symptom} | {fault.cause} | {fault.cure} {link} | `{fault.id}` |")
    return "\n".join(rows)

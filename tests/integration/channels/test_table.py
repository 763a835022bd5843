"""Each cell of the table of docs/channels.md agrees with the channel's tests."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from tests.integration.channels.base import DestinationConformance, ProcessConformance

PAGE = (Path(__file__).parents[3] / "docs" / "channels.md").read_text()
MODULES = {
    "e-mail": "test_email",
    "push": "test_webpush",
    "webhooks": "test_webhook",
    "Apprise": "test_apprise",
    "this example": "test_documented",
}
PROCESSES = "SQLite, PostgreSQL, MariaDB"
# Rule -> the tests of the suites that prove it.
RULES = {
    "arrives once": ["test_a_message_arrives_once"],
    "of 40 messages and four processes, each once": ["test_every_message_is_sent_once"],
    "a sender killed between send and settle: sent again under the same identity": [
        "test_what_its_sender_did_not_settle_is_sent_again_under_the_same_identity",
        "test_what_a_killed_sender_left_is_sent_again_under_the_same_identity",
    ],
    "a temporary failure is retried": ["test_a_temporary_failure_is_retried_later"],
    "a permanent failure ends with its reason": ["test_a_permanent_failure_ends_with_its_reason"],
    "the server asks for time (`Retry-After`)": ["test_a_server_that_asks_for_time_gets_it"],
    "a target that is gone is disabled or removed": [
        "test_a_target_that_is_gone_is_disabled_or_removed"
    ],
    "quiet hours hold it": ["test_quiet_hours_hold_it"],
    "a category that is switched off": ["test_a_category_that_is_switched_off_is_not_sent"],
    "an erased user or destination gets nothing": ["test_an_erased_target_gets_nothing"],
    "a server that hangs costs the time-out and no more": [
        "test_a_server_that_hangs_costs_the_time_out_and_no_more"
    ],
    "a tenant's deliveries stay its own": ["test_a_tenants_deliveries_stay_its_own"],
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table() -> dict[str, dict[str, str]]:
    """Rule -> channel -> cell."""
    found = re.search(r"^\| rule \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    assert found
    _rule, *channels = cells(found[0].partition("\n")[0])
    rows = [cells(line) for line in found[1].splitlines()]
    return {rule: dict(zip(channels, row, strict=True)) for rule, *row in rows}


def proved(channel: str) -> set[str]:
    """The names of the tests in a channel's module."""
    found = vars(import_module(f"{__package__}.{MODULES[channel]}"))
    return {test for name, one in found.items() if name.startswith("Test") for test in dir(one)}


def test_each_rule_and_channel_has_its_cell() -> None:
    rows = table()
    assert list(rows) == list(RULES)
    assert all(list(row) == list(MODULES) for row in rows.values())
    # Each channel of monitio has a column.
    folder = Path(__file__).parents[3] / "monitio" / "channels"
    ours = [path for path in folder.rglob("*.py") if re.search(r"\(Channel\):", path.read_text())]
    assert len(ours) == len(MODULES) - 1


def test_each_test_of_the_suites_proves_a_rule() -> None:
    suites = {*dir(DestinationConformance), *dir(ProcessConformance)}
    named = {test for tests in RULES.values() for test in tests}
    assert named == {name for name in suites if name.startswith("test_")}


def test_what_the_table_promises_is_proved() -> None:
    for rule, row in table().items():
        for channel, cell in row.items():
            has_processes = any(hasattr(ProcessConformance, test) for test in RULES[rule])
            is_proved = {*RULES[rule]} <= proved(channel)
            # Any other text is the reason for a difference.
            assert cell != ("yes" if has_processes else PROCESSES), (rule, channel)
            assert is_proved or cell not in ("yes", PROCESSES), (rule, channel)

"""Invariants under races of several processes on one database. No process may raise an error."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.peers import Peer

PROCESSES = 4
TOKEN = "v" * 32


@pytest.fixture(scope="module", params=["sqlite", "plain", "postgres", "mariadb"])
def peers(request: pytest.FixtureRequest) -> Iterator[list[Peer]]:
    database = address(request)
    transport = "monitio.testing.RecordingTransport"
    peers = [
        Peer("tests.integration.races.process", database, MONITIO_TRANSPORT=transport)
        for _ in range(PROCESSES)
    ]
    peers[0].migrate()
    yield peers
    for peer in peers:
        peer.close()


def address(request: pytest.FixtureRequest) -> str:
    if request.param in ("sqlite", "plain"):
        folder = request.getfixturevalue("tmp_path_factory").mktemp("races")
        # "plain": without options, as in a new project.
        return f"sqlite://{folder}/site.sqlite3{'?plain' * (request.param == 'plain')}"
    server: Any = request.getfixturevalue(f"{request.param}_server")
    return str(server.database("races"))


@pytest.fixture(autouse=True)
def _empty(peers: list[Peer]) -> None:
    peers[0].clear()


def at_once(*calls: tuple[Peer, str, list[Any]]) -> list[Any]:
    """Call all functions at the same moment; their results."""
    moment = time.monotonic() + 0.3
    for peer, function, args in calls:
        peer.begin(function, moment, *args)
    return [peer.end() for peer, _, _ in calls]


class TestJobs:
    COUNT = 30
    NAMES = ("ann", "bob")

    # With equal seeds, the processes create each row at the same time.
    @pytest.mark.parametrize("seeds", [(1, 2, 3, 4), (1, 1, 1, 1)], ids=["shuffled", "together"])
    def test_events_of_four_processes_end_once_and_notify_once(
        self, peers: list[Peer], seeds: tuple[int, ...]
    ) -> None:
        peers[0].make_people(self.NAMES)
        answers = at_once(
            *(
                (peer, "report_jobs", [seed, self.COUNT, self.NAMES])
                for seed, peer in zip(seeds, peers, strict=True)
            )
        )
        tasks = [f"task-{number}" for number in range(self.COUNT)]
        rows = {task: (state, attempt) for task, state, attempt in peers[0].jobs()}
        assert {state for state, _ in rows.values()} == {"succeeded"}
        assert sorted(rows) == sorted(tasks)
        moved = Counter(tuple(entry) for answer in answers for entry in answer["moved"])
        assert set(moved.values()) == {1}, "no event moved a job twice"
        assert sum(event == "succeeded" for _, event in moved) == self.COUNT
        assert Counter(task for answer in answers for task in answer["ends"]) == Counter(tasks)
        for name in self.NAMES:
            messages = peers[0].messages(name)
            assert Counter(message["job__task_id"] for message in messages) == Counter(tasks)
            assert {message["subject"] for message in messages} == {"succeeded"}
        mails = len(self.NAMES) * self.COUNT
        assert sum(answer["mails"] for answer in answers) == mails
        assert Counter(peers[0].delivery_states()) == {"sent": mails}


class TestGroups:
    PARTS = 40

    def test_the_last_of_four_processes_ends_the_group_once(self, peers: list[Peer]) -> None:
        peers[0].make_people(["ann"])
        shares = [list(range(start, self.PARTS, PROCESSES)) for start in range(PROCESSES)]
        answers = at_once(
            *(
                (peer, "end_parts", ["group", share, self.PARTS])
                for peer, share in zip(peers, shares, strict=True)
            )
        )
        assert [task for answer in answers for task in answer] == ["group"]


class TestDeleting:
    def test_accounts_that_vanish_do_not_keep_others_from_being_notified(
        self, peers: list[Peer]
    ) -> None:
        names = [f"user{number}" for number in range(40)]
        peers[0].make_people([*names, "bob"])
        moved, _ = at_once(
            (peers[0], "finish_jobs", [names, "bob"]), (peers[1], "delete_people", [names])
        )
        assert all(moved)
        assert len(peers[0].messages("bob")) == len(names)

    def test_messages_that_vanish_do_not_stop_a_job(self, peers: list[Peer]) -> None:
        peers[0].make_people(["ann"])
        peers[0].start_job("task-0", "ann")
        at_once(
            (peers[0], "change", ["job", "task-0", "ann", 60]),
            (peers[1], "delete_messages", ["ann", 60]),
            (peers[2], "delete_messages", ["ann", 60]),
        )
        assert peers[0].jobs() == [["task-0", "succeeded", 60]]
        assert len(peers[0].messages("ann")) <= 1


class TestRepeats:
    COUNT = 15

    def test_failures_that_read_the_same_are_one_message_and_one_mail(
        self, peers: list[Peer]
    ) -> None:
        peers[0].make_people(["ann"])
        mails = at_once(
            *(
                (peer, "fail_jobs", [f"task-{number}", self.COUNT, "ann"])
                for number, peer in enumerate(peers)
            )
        )
        (message,) = peers[0].messages("ann")
        assert message["subject"] == f"failed ({PROCESSES * self.COUNT} times)"
        assert sum(mails) == 1
        assert {state for _task, state, _attempt in peers[0].jobs()} == {"failed"}


class TestVisitor:
    def test_nothing_written_during_the_log_in_stays_behind(self, peers: list[Peer]) -> None:
        peers[0].make_people(["ann"])
        count = 25
        at_once(
            *(
                (peer, "write_to_visitor", [TOKEN, number * count, count])
                for number, peer in enumerate(peers[:3])
            ),
            (peers[3], "log_in", [TOKEN, "ann"]),
        )
        assert peers[0].waiting_for_visitor(TOKEN) == 0
        messages = peers[0].messages("ann")
        written = Counter(row["message"] for row in messages if row["job__task_id"] is None)
        assert written == Counter(f"message {number}" for number in range(3 * count))
        notified = Counter(row["job__task_id"] for row in messages if row["job__task_id"])
        assert notified == Counter(f"visitor-{number}" for number in range(3 * count))
        ends = {row["subject"] for row in messages if row["job__task_id"]}
        assert ends == {"succeeded 0"}


class TestVersions:
    def test_every_change_has_a_version_of_its_own(self, peers: list[Peer]) -> None:
        peers[0].make_people(["ann"])
        peers[0].start_job("task-0", "ann")
        deeds = ("job", "mark_seen", "mark_read", "toggle")
        answers = at_once(
            *(
                (peer, "change", [action, "task-0", "ann", 40])
                for action, peer in zip(deeds, peers, strict=True)
            )
        )
        announced = [state for answer in answers for state in answer]
        versions = Counter(state["version"] for state in announced)
        for answer in answers:
            own = [state["version"] for state in answer]
            assert own == sorted(own), "no version decreases"
        by_version = {state["version"]: state for state in announced}
        for state in announced:
            assert state == by_version[state["version"]] or versions[state["version"]] == 1
        (row,) = peers[0].messages("ann")
        assert row["version"] >= max(versions)
        assert row["subject"] == "succeeded 40"
        last = by_version.get(row["version"])
        if last is not None:
            assert (last["read"], last["seen"]) == (row["read"], row["seen"])


class TestStorage:
    def test_each_message_is_shown_by_one_page(self, peers: list[Peer]) -> None:
        peers[0].prepare_page("ann", 60)
        answers = at_once(*((peer, "view_pages", ["ann", 8]) for peer in peers))
        shown = Counter(text for answer in answers for text in answer)
        assert shown == Counter(f"shown once {number}" for number in range(60))
        assert peers[0].messages("ann") == []


class TestDeliveries:
    def test_each_mail_is_sent_once(self, peers: list[Peer]) -> None:
        peers[0].prepare_mails("ann", 40)
        sent = at_once(*((peer, "send_deliveries", []) for peer in peers))
        assert sum(sent) == 40
        assert Counter(peers[0].delivery_states()) == {"sent": 40}


class TestEvents:
    def test_publishing_for_the_same_recipients_at_once_never_fails(
        self, peers: list[Peer]
    ) -> None:
        at_once(*((peer, "publish_events", [60]) for peer in peers))


class TestAtomicRequests:
    def test_no_request_is_refused_while_workers_write(self, peers: list[Peer]) -> None:
        peers[0].make_people(["ann"])
        peers[0].start_job("task-0", "ann")
        statuses, *_ = at_once(
            (peers[0], "click", ["ann", 15]),
            (peers[1], "write_to_user", ["ann", 60]),
            (peers[2], "write_to_user", ["ann", 60]),
        )
        assert set(statuses) == {200, 302}

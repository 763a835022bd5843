"""A text that a database refuses is replaced; the job's state is stored all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.peers import Peer

WORDS = {"succeeded": "done", "failed": "failed", "revoked": "cancelled", "lost": "interrupted"}


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("refusals")
        address = f"sqlite://{folder}/site.sqlite3"
    else:
        address = request.getfixturevalue(f"{request.param}_server").database("refusals")
    transport = "monitio.testing.RecordingTransport"
    peer = Peer("tests.integration.refusals.process", address, MONITIO_TRANSPORT=transport)
    peer.migrate(request.param == "mariadb")
    yield peer
    peer.close()


@pytest.mark.parametrize("state", list(WORDS))
@pytest.mark.parametrize("wording", ["options", "own", "title"])
def test_every_end_is_reported(peer: Peer, wording: str, state: str) -> None:
    found: dict[str, Any] = peer.end_job(f"{wording}-{state}", wording, state)
    assert found["state"] == state
    assert found["subject"].endswith((WORDS[state], f"My {state}"))
    assert len(found["url"]) <= 2048


@pytest.mark.parametrize("failed", [False, True])
def test_the_end_of_a_group_is_reported(peer: Peer, failed: bool) -> None:
    found = peer.end_group(f"group-{failed}", failed)
    assert found["state"] == ("failed" if failed else "succeeded")
    assert found["subject"].endswith("failed" if failed else "done")
    assert found["parts"] == 1


def test_only_the_character_that_a_table_cannot_hold_is_replaced(peer: Peer) -> None:
    text, kept = "\U0001f600 \u0142", peer.write("\U0001f600 \u0142")
    assert [row[1][-1] for row in kept] == ["\u0142"] * 4
    assert {row[1] for row in kept} <= {text, "\ufffd \u0142"}

"""The conformance suite for users, for visitors, and with atomic requests."""

from __future__ import annotations

import pytest

from tests.integration.storage.conformance import MessagesConformance, atomic_requests

__all__ = ["atomic_requests"]


class TestUser(MessagesConformance):
    signed_in = True


class TestVisitor(MessagesConformance):
    signed_in = False


@pytest.mark.usefixtures("atomic_requests")
class TestUserWithAtomicRequests(TestUser):
    pass


@pytest.mark.usefixtures("atomic_requests")
class TestVisitorWithAtomicRequests(TestVisitor):
    pass

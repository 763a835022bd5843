from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.demo.running import Demo, Visitor


@pytest.fixture(scope="session")
def shared_demo() -> Iterator[Demo]:
    """A running demo for the tests that leave it running."""
    demo = Demo()
    try:
        demo.wait_until_it_runs()
        yield demo
    finally:
        demo.close()


@pytest.fixture
def visitor(shared_demo: Demo) -> Iterator[Visitor]:
    visitor = Visitor(shared_demo.wait_until_it_runs())
    yield visitor
    visitor.close()


@pytest.fixture
def stranger(shared_demo: Demo) -> Iterator[Visitor]:
    visitor = Visitor(shared_demo.wait_until_it_runs())
    yield visitor
    visitor.close()


@pytest.fixture
def polish_visitor(shared_demo: Demo) -> Iterator[Visitor]:
    visitor = Visitor(shared_demo.wait_until_it_runs(), language="pl")
    yield visitor
    visitor.close()

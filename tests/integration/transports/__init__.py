"""The conformance suite for transports: two processes, and servers that are killed or frozen."""

import pytest

# Assertions of base.py get pytest's detailed messages, too.
pytest.register_assert_rewrite("tests.integration.transports.base")

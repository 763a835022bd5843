"""What every transport must do: two processes, servers that are killed and frozen."""

import pytest

# So that the suite's assertions say what they found, too.
pytest.register_assert_rewrite("tests.integration.transports.base")

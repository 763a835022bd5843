"""What real workers and their tests have in common; importing in_workers itself has effects."""

from __future__ import annotations

# The header of an e-mail with the process that sent it.
SENDER = "X-Process"
# The users of one set.
SET = 5

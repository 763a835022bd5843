"""Constants of workers and their tests; separate, because importing in_workers changes monitio."""

from __future__ import annotations

# The e-mail header that names the sending process.
SENDER = "X-Process"
# The number of users in a set.
SET = 5

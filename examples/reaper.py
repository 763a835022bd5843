"""End the process groups whose ids it reads, one a line, when the other end of the pipe is closed.

The launcher starts it and keeps the other end. It runs in a session of its own, so that what kills
the launcher does not kill it as well.
"""

from __future__ import annotations

import os
import signal
import sys
import time

MERCY = 2.0


def signal_groups(groups: list[int], number: int) -> None:
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = [int(line) for line in sys.stdin]
    signal_groups(groups, signal.SIGTERM)
    deadline = time.monotonic() + MERCY
    while any(map(is_alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_groups(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()

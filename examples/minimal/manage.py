"""``python -m examples.minimal.manage migrate`` and Django's other commands."""

from __future__ import annotations

import sys

from django.core.management import execute_from_command_line

import examples.minimal.site  # noqa: F401 - configures Django

if __name__ == "__main__":
    execute_from_command_line(sys.argv)

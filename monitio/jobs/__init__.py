"""Jobs: runs of background tasks, and the one message each recipient has of them.

Tasks are declared before apps are ready, so this package itself imports no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitio.utils.lazy import lazy_attributes

if TYPE_CHECKING:
    from monitio.jobs.reporter import JobReporter

__all__ = ["JobReporter"]

__getattr__ = lazy_attributes(__name__, {"JobReporter": "monitio.jobs.reporter"})

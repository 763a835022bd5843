"""Jobs: runs of background tasks, and the one message each recipient has of them.

Tasks are declared before apps are ready, so this package imports no model by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitio.jobs.reporter import JobReporter

__all__ = ["JobReporter"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'monitio.jobs' has no attribute {name!r}")
    from monitio.jobs import reporter

    return getattr(reporter, name)

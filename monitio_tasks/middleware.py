"""What settings name: ``"monitio_tasks.middleware.NotifyMiddleware"``."""

from __future__ import annotations

from monitio.queues.middleware import NotifyMiddleware

__all__ = ["NotifyMiddleware"]

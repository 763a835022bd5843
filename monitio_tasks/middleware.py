"""What settings name: ``"monitio_tasks.middleware.NotifyMiddleware"``."""

from __future__ import annotations

from monitio.integrations.middleware import NotifyMiddleware

__all__ = ["NotifyMiddleware"]

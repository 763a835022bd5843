"""What settings name: ``"monitio_celery.middleware.NotifyMiddleware"``."""

from __future__ import annotations

from monitio.integrations.middleware import NotifyMiddleware

__all__ = ["NotifyMiddleware"]

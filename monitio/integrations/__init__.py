"""What every integration of a task queue shares: ``monitio_celery`` and ``monitio_tasks``."""

"""``django.tasks`` with real workers."""

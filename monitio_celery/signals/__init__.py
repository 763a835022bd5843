"""Receivers of Celery's signals."""

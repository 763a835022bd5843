"""Receivers of Celery's signals, a module for each process that sends them."""

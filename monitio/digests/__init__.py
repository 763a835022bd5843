"""Digests: one e-mail that gathers many messages of one person over one period."""

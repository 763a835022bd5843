"""Digests: one e-mail with the messages of one user from one period."""

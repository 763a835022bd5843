"""The message storage: Django's own expectations, claims, queries, upgrades."""

"""Failures of a whole site, with pages that are never reloaded."""

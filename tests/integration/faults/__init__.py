"""A whole site under failure, with pages that are never reloaded."""

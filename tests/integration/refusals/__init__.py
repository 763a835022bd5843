"""Texts that some database refuses, in reports of tasks and in messages."""

"""Texts that some databases refuse, in reports of tasks and in messages."""

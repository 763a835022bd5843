"""The libraries of ``{% load %}``; ``views.widgets`` has their context."""

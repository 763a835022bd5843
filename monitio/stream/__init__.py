"""Live streams.

The hub hears bells, a session turns rows and bells into frames, drivers send them.
"""

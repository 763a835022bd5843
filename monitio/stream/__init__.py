"""Live streams of Server-Sent Events.

The broadcaster receives events, the protocol turns rows and events into frames, drivers send them.
"""

"""E-mails: ``compose`` makes them, ``sending`` hands them to Django's mail backend.

Single mails and digests are made in the same way.
"""

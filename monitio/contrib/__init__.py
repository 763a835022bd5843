"""Bridges to other packages; nothing else imports them."""

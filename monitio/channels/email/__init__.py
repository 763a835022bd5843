"""The e-mail channel: ``compose`` renders single e-mails and digests, ``smtp`` sends them."""

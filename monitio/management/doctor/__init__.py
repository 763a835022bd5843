"""What can be wrong with a site, each with its cause and cure: ``manage.py monitio_doctor``."""

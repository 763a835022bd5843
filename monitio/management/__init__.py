"""The commands of ``manage.py``, the doctor, and the import from earlier packages."""

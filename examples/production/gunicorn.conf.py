"""What gunicorn has to tell the streams: gunicorn --config gunicorn.conf.py …"""

from monitio.contrib.gunicorn import post_worker_init, pre_request

__all__ = ["post_worker_init", "pre_request"]

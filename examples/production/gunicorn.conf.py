"""gunicorn --config gunicorn.conf.py examples.production.asgi:application"""

from monitio.contrib.gunicorn import post_worker_init, pre_request

__all__ = ["post_worker_init", "pre_request"]

# gunicorn's own "asgi" worker once left a request unanswered during a reload (gunicorn 27).
# Processes, not threads, carry the load; a stream holds neither.
worker_class = "uvicorn_worker.UvicornWorker"
workers = 2
# A reload (HUP) and a stop give requests this long; streams end at once and open again.
graceful_timeout = 20
# A worker that does not answer for so long is replaced.
timeout = 60
# Its socket would lie in the user's home, which the unit makes read-only.
control_socket_disable = True
# gunicorn's own lines like those of the site: one JSON object a line.
logconfig_dict = {
    "formatters": {"json": {"()": "examples.production.json_lines.JSONFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}

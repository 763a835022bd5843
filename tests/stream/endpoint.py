import monitio.asgi
from tests.stream.asgi import application as django

application = monitio.asgi.application(django)

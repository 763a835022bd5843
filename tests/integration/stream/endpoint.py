import monitio.asgi
from tests.integration.stream.asgi import application as django

application = monitio.asgi.application(django)

"""Tests of the test servers in tests/support/servers."""

from __future__ import annotations

import psycopg
import pymysql
import redis
from kombu import Connection

from tests.support.databases import database
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.postgres import Postgres
from tests.support.servers.rabbitmq import RabbitMQ
from tests.support.servers.valkey import Valkey


def test_valkey_restarts_on_the_same_address(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        first = client.info("server")["run_id"]
    valkey.kill()
    assert not valkey.running
    valkey.start()
    # Not by the process id, which the system may reuse.
    with redis.Redis.from_url(valkey.socket_url) as client:
        assert client.info("server")["run_id"] != first


def test_postgres_answers_under_the_address_as_django_reads_it(postgres_server: Postgres) -> None:
    address = database(postgres_server.url)
    with psycopg.connect(
        dbname=address["NAME"], user=address["USER"], host=address["HOST"]
    ) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_mariadb_answers_under_the_address_as_django_reads_it(mariadb_server: MariaDB) -> None:
    address = database(mariadb_server.url)
    connection = pymysql.connect(
        user=address["USER"], database=address["NAME"], **address["OPTIONS"]
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_rabbitmq_keeps_what_is_durable_over_a_crash(rabbitmq: RabbitMQ) -> None:
    confirmed = {"confirm_publish": True}
    with Connection(rabbitmq.url, transport_options=confirmed) as connection:
        connection.SimpleQueue("durable").put("kept")
    rabbitmq.kill()
    assert not rabbitmq.running
    rabbitmq.start()
    with Connection(rabbitmq.url) as connection:
        assert connection.SimpleQueue("durable").get(timeout=30).payload == "kept"

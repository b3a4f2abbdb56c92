"""The servers that other tests lean on are real ones."""

import psycopg
import redis

from tests import servers


def test_postgresql_url_is_an_empty_postgresql_16(postgresql_url):
    with psycopg.connect(postgresql_url) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()

    assert int(version[0]) >= 140000
    assert tables == (0,)


def test_redis_url_is_an_empty_redis(redis_url):
    client = redis.Redis.from_url(redis_url)

    assert client.dbsize() == 0
    assert client.set("key", "value") is True


def test_chromium_named_by_the_environment_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "chromium"))
    assert servers.find_chromium() is None

    (tmp_path / "chromium").touch()
    assert servers.find_chromium() == tmp_path / "chromium"

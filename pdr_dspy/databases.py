"""Addresses of databases, as SQLAlchemy writes them: what one is, and whether anybody answers there, known in seconds.

Searches and trackers keep what they have in databases that a user names. Both find out here, before a token is spent,
that one would forget everything or does not answer: the libraries that use them try for minutes.
"""

from __future__ import annotations

import os
from typing import Any

from pdr_dspy.secrets.redaction import redacted

PATIENCE = 5
"""Seconds to wait for a connection, the first one or another."""

_POSTGRES = ("psycopg", "psycopg2", "psycopg2cffi")
_MYSQL = ("mysqldb", "pymysql", "mysqlclient")


def in_memory(address: str) -> bool:
    """Whether a SQLite database ends with its process: `sqlite://`, `sqlite:///:memory:`, `mode=memory`."""
    kind, found, rest = address.strip().partition(":")
    if kind.lower() == "file" or not found or not kind:  # no address: a file's name, or SQLite's own words for one
        return ":memory:" in address or "mode=memory" in address
    if kind.lower().partition("+")[0] != "sqlite":
        return False
    path, _, query = rest.partition("?")
    inside = "mode=memory" in query.split("&") or "vfs=memdb" in query.split("&")
    return path.strip("/") == "" or ":memory:" in path or "mode=memory" in path or inside


def patience(address: str) -> dict[str, Any]:
    """What a driver is to be told so that connecting ends in time; nothing where the user has told it, or SQLite."""
    import sqlalchemy

    url = sqlalchemy.make_url(address)
    driver = url.get_dialect().driver
    if "connect_timeout" in url.query or (driver in _POSTGRES and "PGCONNECT_TIMEOUT" in os.environ):
        return {}
    return {"connect_timeout": PATIENCE} if driver in (*_POSTGRES, *_MYSQL) else {}


def silence(address: str) -> str | None:
    """Why no connection to a database can be had; None where one can. It is tried once.

    Raises:
        ImportError: its driver is not installed.
    """
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(address, connect_args=patience(address), poolclass=sqlalchemy.pool.NullPool)
        with engine.connect():
            return None
    except ImportError:
        raise
    except Exception as error:  # SQLAlchemy's, and the driver's own
        said = getattr(error, "orig", None) or error
        return redacted(f"{type(said).__name__}: {' '.join(str(said).split())}")[:300]

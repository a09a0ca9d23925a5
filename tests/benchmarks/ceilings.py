"""The two ceilings: ``python -m tests.benchmarks.ceilings`` serves HTTP with aiohttp and does nothing more; ``sqlite`` inserts and does nothing more."""

import asyncio
import signal
import sqlite3
from pathlib import Path
from time import perf_counter

import uvloop
from aiohttp import web

from tests.benchmarks.plan import CONNECTIONS, READING

BASE = {
    "m2m:cb": {"ri": "id-in", "rn": "cse-in", "ty": 5, "ct": "20240612T101500", "lt": "20240612T101500", "csi": "/id-in", "cst": 1, "poa": ["http://127.0.0.1"]}
}


async def answer_post(request: web.Request) -> web.Response:
    """Parse the body and send it back."""
    return web.json_response(await request.json())


async def answer_get(request: web.Request) -> web.Response:
    """Send a document of the size of a CSEBase."""
    return web.json_response(BASE)


async def serve() -> None:
    """Serve on a free port of loopback until terminated; the first line of output is the address."""
    application = web.Application()
    application.router.add_post("/{path:.*}", answer_post)
    application.router.add_get("/{path:.*}", answer_get)
    runner = web.AppRunner(application, access_log=None)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


def sqlite(file: Path, seconds: float) -> float:
    """Give the rows a second that SQLite takes with WAL, FULL and a commit for every 16 rows; clustered as the instances of the default store are."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE instance (parent INTEGER, seq INTEGER, ct INTEGER, body TEXT, PRIMARY KEY (parent, seq)) WITHOUT ROWID")
        begun = perf_counter()
        rows = 0
        while (passed := perf_counter() - begun) < seconds or not rows:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO instance VALUES (1, ?, 1718187300, ?)", [(rows + i, READING) for i in range(CONNECTIONS)])
            connection.execute("COMMIT")
            rows += CONNECTIONS
        return rows / max(passed, perf_counter() - begun)
    finally:
        connection.close()


if __name__ == "__main__":
    uvloop.run(serve())

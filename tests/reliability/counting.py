"""``python -m tests.reliability.counting serve ...``: the server, which tells the number of its tasks at SIGUSR1."""

import asyncio
import signal
import sys

from apps.cli import main as cse
from bindings import serve


def main() -> None:
    """Run the command ``cse``."""
    really = serve.Server.start

    async def start(self: serve.Server) -> None:
        await really(self)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: print(f"tasks: {len(asyncio.all_tasks(loop))}", file=sys.stderr, flush=True))

    serve.Server.start = start  # type: ignore[method-assign]
    cse()


if __name__ == "__main__":
    main()

"""The demo's server: on 127.0.0.1 only, until it is interrupted. Closes connections that are too slow."""

import asyncio
import os
import socket

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dwmtl.errors import DwmtlError

HOST = "127.0.0.1"
MAX_CONNECTIONS = 16
"""Further connections are refused, so that uploads cannot fill the memory."""
IDLE_S = 10.0
"""A connection without a whole header for this long is closed."""
CONNECTION_S = 180.0
"""A request whose response is not received after this time loses its connection; see also `app.ANSWER_S`."""
_CHECK_EVERY_S = 0.5


class _TimedConnection(H11Protocol):
    """Closes a connection whose client is slow, which uvicorn alone would keep for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._check(None, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_check.cancel()
        super().connection_lost(exc)

    def _check(self, seen: RequestResponseCycle | None, since_s: float) -> None:
        """Args:
        seen: the request that was being answered at the last check; None: the server waited for one.
        since_s: time since when that has been so.
        """
        cycle, now_s = self.cycle, self.loop.time()
        answering = None if cycle is None or cycle.response_complete else cycle
        if answering is not seen:
            since_s = now_s
        if now_s - since_s >= (IDLE_S if answering is None else CONNECTION_S):
            self.transport.abort()
        self._next_check = self.loop.call_later(_CHECK_EVERY_S, self._check, answering, since_s)


def open_port(port: int) -> socket.socket:
    """A socket that listens on a port of this machine; 0: any free port.

    Raises:
        DwmtlError: the port is taken.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise DwmtlError(f"port {port}: {reason}. Name another with --port, or 0 for a free one.") from None


def make_server(app: Starlette) -> uvicorn.Server:
    """A server of the application, for `run(sockets=[...])`; it logs warnings and errors only."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_TimedConnection,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            limit_concurrency=MAX_CONNECTIONS,
        )
    )

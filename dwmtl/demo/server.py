"""The demo served: 127.0.0.1 and no other address, until it is interrupted."""

import os
import socket

import uvicorn
from starlette.applications import Starlette

from dwmtl.errors import DwmtlError

HOST = "127.0.0.1"
MAX_CONNECTIONS = 16
"""More are turned away, so that what they send cannot fill the memory."""


def open_port(port: int) -> socket.socket:
    """A socket that listens on a port of this machine; 0: one that is free.

    Raises:
        DwmtlError: the port is taken.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise DwmtlError(f"port {port}: {reason}. Name another with --port, or 0 for a free one.") from None


def make_server(app: Starlette) -> uvicorn.Server:
    """A server of the application, to be `run(sockets=[...])`; it writes down nothing but errors."""
    return uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, limit_concurrency=MAX_CONNECTIONS, lifespan="off")
    )

"""The demo's server: on 127.0.0.1 only, until it is interrupted."""

import os
import socket

import uvicorn
from starlette.applications import Starlette

from dwmtl.errors import DwmtlError

HOST = "127.0.0.1"
MAX_CONNECTIONS = 16
"""Further connections are refused, so that uploads cannot fill the memory."""


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
        uvicorn.Config(app, log_level="warning", access_log=False, limit_concurrency=MAX_CONNECTIONS, lifespan="off")
    )

"""Sockets on this machine alone: 127.0.0.1 and, on the same port, ::1, which some programs mean by ``localhost``."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from typing import Final

log = logging.getLogger(__name__)

FOUR: Final = "127.0.0.1"
SIX: Final = "::1"
_TRIES: Final = 20  # for a port that is free in both families
_BACKLOG: Final = 128


def open_sockets(host: str, port: int, kind: socket.SocketKind) -> list[socket.socket]:
    """Return bound sockets that no other program shares; those of TCP listen.

    127.0.0.1 and ``localhost`` mean both families if the system has both; every other address is taken alone.

    Raises:
        OSError: the address that was asked for cannot be had. That ::1 cannot is no error.
    """
    first = FOUR if host.lower() == "localhost" else host
    for _ in range(_TRIES if port == 0 else 1):
        main = _bind(first, port, kind)
        if first != FOUR:
            return [main]
        chosen = main.getsockname()[1]
        try:
            return [main, _bind(SIX, chosen, kind)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # there is no IPv6 on this machine
                return [main]
            if port != 0:
                log.warning("Port %d on ::1 is taken by another program; the bridge listens on 127.0.0.1 only.", port)
                return [main]
            main.close()
    return [_bind(first, port, kind)]


def _bind(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    tcp = kind is socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        if sys.platform == "win32":
            # REUSEADDR would, on Windows, let another program listen on the same port and get what is meant for us
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            if not tcp:
                _ignore_unreachable(sock)
        elif os.name == "posix" and tcp:  # else a restart has to wait for a minute; with UDP it would share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((address, port))
        if tcp:
            sock.listen(_BACKLOG)  # here: two that were bound in the same moment are told apart only by this
    except OSError:
        sock.close()
        raise
    return sock


def _ignore_unreachable(sock: socket.socket) -> None:
    """Ask Windows not to fail a receive because nobody listened where we sent to. Python's ioctl knows no such call."""
    if sys.platform == "win32":
        import ctypes

        sio_udp_connreset = 0x9800000C
        off, returned = ctypes.c_int(0), ctypes.c_uint32(0)
        call = ctypes.WinDLL("ws2_32").WSAIoctl
        call.argtypes = [
            ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32,
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        # if it is refused, the socket is opened anew after each such failure
        sizes = ctypes.byref(off), ctypes.sizeof(off), None, 0, ctypes.byref(returned)
        call(sock.fileno(), sio_udp_connreset, *sizes, None, None)

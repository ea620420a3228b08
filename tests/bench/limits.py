"""What the machine itself allows, measured in the same run: the figures stand beside it as a ratio."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def flush(times: int = 60) -> float:
    """Return the median of one small write that is flushed to the medium, s."""
    taken = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(times):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def post(times: int = 60) -> float:
    """Return the median of a connection on this machine and 300 bytes that are read at its other end, s."""
    taken: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        ends: list[float] = []

        def read() -> None:
            for _ in range(times):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    ends.append(time.perf_counter())
                    connection.sendall(b"x")

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(times):
            begun = time.perf_counter()
            with socket.create_connection(server.getsockname()) as connection:
                connection.sendall(b"x" * 300)
                connection.recv(1)
            taken.append(ends[number] - begun)
        reader.join()
    return statistics.median(taken)


def store(size: int, times: int = 10) -> float:
    """Return the median of writing and flushing a file of so many bytes, s."""
    taken, data = [], os.urandom(size)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            begun = time.perf_counter()
            with (Path(folder) / str(number)).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def python(statement: str, times: int = 5) -> tuple[float, float]:
    """Return the best time of a Python that runs a statement, s, and what it takes of memory, MB."""
    told = f"{statement}\nprint(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    best, memory = float("inf"), 0.0
    for _ in range(times + 1):  # the first compiles
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True, env=env)
        best, memory = min(best, time.perf_counter() - begun), int(done.stdout) / 1024
    return best, memory

"""The web server: waitress, with limits for what clients may send and how long they may take, and a clean end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.utilities import Error

from utils.config import Settings
from utils.utils import UserError
from utils.web.guard import HEADERS, log
from utils.web.metrics import Metrics
from utils.web.problems import MEDIA_TYPE, problem

LIGHT_THREADS = 4      # answer what is no photograph while others wait
IDLE_SECONDS = 30      # a connection that says nothing for so long is closed
CLEANUP_SECONDS = 5    # between two looks for such connections
LONGEST_HEADER = 32_768  # bytes of all headers of a request
RECEIVED = 2 ** 18     # bytes that are received at a time
ANY_ANSWER = 2 ** 31 - 1  # bytes; no answer is larger, so none waits for its client in a thread, or goes to a disk
SENTENCES = {
    400: "The request is no HTTP that this server understands ({}).",
    408: "The request took longer than {} seconds to arrive: send it over a faster connection.",
    413: "The upload has more than {} MB: scale the photograph down, or save it as JPEG.",
    431: "The headers of the request are too long ({}).",
    501: "The request is encoded in a way that this server does not understand ({}).",
    503: "The server has no memory left for another upload: try again in {} seconds.",
}
RETRY_AFTER = "10"


class Memory:
    """The bytes of all uploads that are in memory, of which there is a largest number."""

    def __init__(self, most: int) -> None:
        self.most, self.taken, self._lock = most, 0, threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is room for `size` more bytes, which are then taken. A negative size gives them back."""
        with self._lock:
            fits = size <= 0 or self.taken + size <= self.most
            self.taken += size * fits
            return fits


@dataclass(frozen=True)
class Limits:
    """What all requests share."""

    memory: Memory
    receive_seconds: float
    max_upload_mb: float
    metrics: Metrics


class Problem(Error):
    """An error that waitress sends, because the app never sees the request."""

    def __init__(self, status: int, about: object) -> None:
        super().__init__(SENTENCES[status].format(about))
        self.code, self.reason = status, HTTPStatus(status).phrase

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = [("Content-Type", MEDIA_TYPE), *HEADERS.items()]
        if self.code == 503:
            headers.append(("Retry-After", RETRY_AFTER))
        return f"{self.code} {self.reason}", headers, problem(self.code, self.body)


class Parser(HTTPRequestParser):
    """Receives one request: all of it within a time, and only as much as fits into memory."""

    def __init__(self, adj: Adjustments, limits: Limits, client: str) -> None:
        super().__init__(adj)
        self.limits, self.client = limits, client
        self.start, self.taken = time.monotonic(), 0

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        size = max(self.content_length, self.body_bytes_received)
        if self.error is not None:
            status = self.error.code if self.error.code in SENTENCES else 400
            self._refuse(status, f"{self.limits.max_upload_mb:g}" if status == 413 else self.error.body)
        elif not self.completed and time.monotonic() - self.start > self.limits.receive_seconds:
            self._refuse(408, f"{self.limits.receive_seconds:g}")
        elif self.limits.memory.take(size - self.taken):
            self.taken = size
        else:
            self._refuse(503, RETRY_AFTER)
        return consumed

    def close(self) -> None:
        super().close()
        self.limits.memory.take(-self.taken)
        self.taken = 0

    def _refuse(self, status: int, about: object) -> None:
        self.error, self.completed, self.headers_finished = Problem(status, about), True, True
        self.expect_continue = False
        method, seconds = getattr(self, "command", "-"), time.monotonic() - self.start
        self.limits.metrics.add("refused", method, status, seconds)
        log(self.client, method, getattr(self, "path", "-"), status, 0, seconds)


class Channel(HTTPChannel):
    """A connection."""

    def __init__(self, server: Server, sock: Any, addr: Any, adj: Adjustments, map: dict[int, Any]) -> None:
        self.parser_class = partial(Parser, limits=server.limits, client=addr[0])
        super().__init__(server, sock, addr, adj, map)

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:  # the client has gone before it was whole
            self.request.close()
            self.request = None


class Server(TcpWSGIServer):
    """Serves `app` in its thread, which ends some time after `stop`."""

    channel_class = Channel

    def __init__(self, app: Flask, adj: Adjustments, limits: Limits, drain_seconds: float) -> None:
        self.app, self.limits, self.drain_seconds = app, limits, drain_seconds
        self.stopping = app.extensions["stopping"]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ended = threading.Event()  # joining the thread is no way to know: Ctrl-C breaks it before Python 3.13
        super().__init__(app, adj=adj)

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.effective_host}]" if ":" in self.effective_host else self.effective_host
        return f"http://{host}:{self.effective_port}/"

    def run(self) -> None:
        end = float("inf")
        try:
            while not (self.stopping.is_set() and (self._is_idle() or time.monotonic() > end)):
                wasyncore.loop(self.adj.asyncore_loop_timeout, self.adj.asyncore_use_poll, self._map, count=1)
                if self.stopping.is_set():
                    end = min(end, time.monotonic() + self.drain_seconds)
            self.task_dispatcher.shutdown()
            wasyncore.close_all(self._map)
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Makes `run` end when the requests that it has are answered, or after `drain_seconds`."""
        self.trigger.pull_trigger(self.stopping.set)  # in the thread of `run`, which is then awake

    def _is_idle(self) -> bool:
        return not any(channel.requests or channel.total_outbufs_len for channel in self.active_channels.values())


def make_server(app: Flask, s: Settings) -> Server:
    """A server that listens already. Raises UserError when it cannot.

    s: the constants of serve.py.
    """
    largest = app.config["MAX_CONTENT_LENGTH"]
    proxy = {"trusted_proxy": s.trusted_proxy, "trusted_proxy_count": 1,
             "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"}} if s.trusted_proxy else {}
    limits = Limits(
        Memory((s.threads + s.queue_length) * largest), s.receive_seconds, s.max_upload_mb, app.extensions["metrics"])
    try:
        adj = Adjustments(
            host=s.host, port=s.port, threads=s.threads + s.queue_length + LIGHT_THREADS, ident=None,
            connection_limit=s.connections, channel_timeout=IDLE_SECONDS, cleanup_interval=CLEANUP_SECONDS,
            max_request_header_size=LONGEST_HEADER, max_request_body_size=largest + 1, recv_bytes=RECEIVED,
            inbuf_overflow=largest + 1, outbuf_overflow=ANY_ANSWER, outbuf_high_watermark=ANY_ANSWER,
            asyncore_use_poll=True, log_socket_errors=False, **proxy)
        return Server(app, adj, limits, s.request_seconds)
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f'host is "{s.host}" and port is {s.port}: nothing can listen there ({error}). Choose an '
                        "address of this computer, and a port that no other program uses.", 2) from error


@contextmanager
def serving(app: Flask, s: Settings) -> Iterator[Server]:
    """Yields a server that runs in a thread; at the end, it answers the requests that it has.

    Raises UserError like `make_server`.

    Args:
        app: the app.
        s: the constants of serve.py.
    """
    server = make_server(app, s)
    server.thread.start()
    try:
        yield server
    finally:
        server.stop()
        server.ended.wait()


def serve(app: Flask, s: Settings) -> int:
    """0 after Ctrl-C or SIGTERM, when what was in work then is finished; 1 when the server fails by itself.

    Arguments and errors: see `serving`.
    """
    try:
        with serving(app, s) as server:
            print(f"Open {server.url} in a browser. Ctrl-C ends the server.", flush=True)
            try:
                while not server.ended.wait(1):  # without a limit, Windows does not see Ctrl-C
                    pass
                return 1
            finally:
                print("The server ends when what is in work is done.", flush=True)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
        return 0

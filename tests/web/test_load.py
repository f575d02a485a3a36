"""Many clients, slow clients, photographs that take long, and the end of the server."""

import http.client
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from helpers import ROOT
from served import AnySheet, Blocked, app_of, encoded, served
from utils import config
from utils.files.jobs import worker_threads
from utils.utils import UserError
from utils.web import server as web_server
from utils.web.pool import Busy, Pool

TINY = encoded(np.full((48, 64, 3), 200, np.uint8))
HALF = b"POST /api/v1/sheets HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\nabc"


def until(true, seconds=10.0):
    """Waits until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_full_queue_refuses_at_once_and_the_rest_still_works():
    model = Blocked()
    with served(model, threads=1, queue_length=2) as one, ThreadPoolExecutor(8) as clients:
        accepted = [clients.submit(one.post, TINY) for _ in range(3)]
        assert model.begun.acquire(timeout=10)
        until(lambda: b"herbarium_sheets_waiting 2" in one.ask("GET", "/metrics").body)
        assert b"herbarium_sheets_in_work 1" in one.ask("GET", "/metrics").body
        for refused in clients.map(one.post, [TINY] * 5):
            assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert "try again in" in refused.json()["detail"]
        assert one.ask("GET", "/health").status == 200
        model.go_on.set()
        assert [answer.result().status for answer in accepted] == [200] * 3


def test_photographs_that_take_too_long():
    """The one in work keeps its place, as it cannot be stopped; the one that waits is dropped."""
    model = Blocked()
    with served(model, threads=1, queue_length=1, request_seconds=1.0) as one, ThreadPoolExecutor(2) as clients:
        slow, late = sorted(clients.map(one.post, [TINY] * 2), key=lambda answer: -answer.status)
        assert slow.status == 504 and slow.json()["detail"].startswith("The result was not there within 1 seconds")
        assert late.status == 503 and late.json()["detail"].startswith("No place became free within 1 seconds")
        metrics = one.ask("GET", "/metrics").body
        assert b"herbarium_sheets_in_work 1" in metrics and b"herbarium_sheets_waiting 0" in metrics
        model.go_on.set()
        until(lambda: b"herbarium_sheets_in_work 0" in one.ask("GET", "/metrics").body)
        assert model.begun.acquire(timeout=0) and not model.begun.acquire(timeout=0)
        assert one.post(TINY).status == 200


def test_a_pool_gives_back_what_fails():
    def fail():
        raise KeyError("x")

    with ThreadPoolExecutor(1) as executor:
        pool = Pool(executor, 1, 0, 5)
        for _ in range(3):
            with pytest.raises(KeyError):
                pool.run(fail)
            assert pool.run(lambda: 7) == 7
        assert (pool.waiting, pool.working, pool.places) == (0, 0, 1)
        begun, go_on = threading.Event(), threading.Event()
        first = threading.Thread(target=pool.run, args=(lambda: begun.set() or go_on.wait(10),))
        first.start()
        assert begun.wait(10)
        with pytest.raises(Busy):
            pool.run(lambda: 7)
        go_on.set()
        first.join()
        until(lambda: pool.run(lambda: 8) == 8)


@pytest.mark.parametrize("error", [MemoryError(), UserError("The GPU's memory ran out: lower num_workers.")])
def test_memory_that_runs_out_is_no_fault_of_the_photograph(error):
    class Large(AnySheet):
        def segment_with_probability(self, image):
            raise error

    with served(Large()) as one:
        answer = one.post(TINY)
    assert answer.status == 503 and answer.headers["Retry-After"] == "30"
    assert answer.json()["detail"] == "The server's memory ran out: try again in 30 seconds."


def test_slow_clients_are_cut_off(monkeypatch):
    """One says nothing more; one sends a letter at a time, for as long as it likes."""
    monkeypatch.setattr(web_server, "IDLE_SECONDS", 1)
    monkeypatch.setattr(web_server, "CLEANUP_SECONDS", 0)
    with served(AnySheet(), receive_seconds=1.0) as one:
        with socket.create_connection(one.address, timeout=10) as silent, \
                socket.create_connection(one.address, timeout=10) as slow:
            silent.sendall(HALF)
            slow.sendall(HALF)
            until(lambda: one.server.limits.memory.taken == 2000)
            slow.settimeout(0.1)
            answer, end = b"", time.monotonic() + 10
            while not answer and time.monotonic() < end:
                slow.sendall(b"x")
                try:
                    answer = slow.recv(9)
                except TimeoutError:
                    continue
            assert answer == b"HTTP/1.1 "  # 408
            assert silent.recv(1) == b""
            assert one.post(TINY).status == 200
        until(lambda: one.server.limits.memory.taken == 0)
        assert b'{route="refused",method="POST",status="408"} 1' in one.ask("GET", "/metrics").body


def test_uploads_share_a_limited_memory():
    with served(AnySheet(), threads=1, queue_length=0, max_upload_mb=0.01) as one:  # with the form's share, 0.11 MB
        head = b"POST /api/v1/sheets HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(one.address, timeout=10) as first:
            first.sendall(head % 109_000)
            until(lambda: one.server.limits.memory.taken == 109_000)
            answer = one.post(TINY + bytes(3000))
            assert answer.status == 503 and answer.headers["Retry-After"] == "10"
            assert "no memory left" in answer.json()["detail"]
        until(lambda: one.server.limits.memory.taken == 0)
        assert one.post(TINY).status == 200


def test_many_requests_over_one_connection():
    with served(AnySheet()) as one:
        connection = http.client.HTTPConnection(*one.address, timeout=10)
        for number in range(20):
            connection.request("POST", f"/api/v1/sheets?name={number}.jpg", TINY, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            assert response.status == 200 and f'"{number}.jpg"'.encode() in response.read()
        assert len(one.server.active_channels) == 1
        connection.close()


def test_many_clients_get_their_own_answers():
    """Sixteen clients, photographs of different sizes: nothing is mixed up."""
    with served(AnySheet(), queue_length=20) as one, ThreadPoolExecutor(16) as clients:
        sizes = [(40 + 2 * number, 60 + number) for number in range(48)]
        for size, answer in zip(sizes, clients.map(
                lambda size: one.post(encoded(np.full((*size, 3), 200, np.uint8))), sizes)):
            assert (answer.json()["height"], answer.json()["width"]) == size


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no signal to one's own process but the end")
def test_the_end_waits_for_what_is_in_work(monkeypatch, capsys):
    """Ctrl-C while a photograph is in work: it is answered; health says "stopping", new photographs are refused."""
    model, results = Blocked(), {}

    def client():
        until(lambda: made)
        address = "127.0.0.1", int(made[0].effective_port)
        connection = http.client.HTTPConnection(*address, timeout=20)
        connection.request("POST", "/api/v1/sheets", TINY, {"Content-Type": "image/jpeg"})
        assert model.begun.acquire(timeout=10)
        signal.raise_signal(signal.SIGINT)
        until(made[0].stopping.is_set)
        for method, path in (("GET", "/health"), ("POST", "/api/v1/sheets")):
            other = http.client.HTTPConnection(*address, timeout=20)
            other.request(method, path, TINY if method == "POST" else None, {"Content-Type": "image/jpeg"})
            results[path] = other.getresponse().status
            other.close()
        model.go_on.set()
        results["first"] = connection.getresponse().status
        connection.close()

    made, make = [], web_server.make_server
    monkeypatch.setattr(web_server, "make_server", lambda *args: made.append(make(*args)) or made[-1])
    s = config.read(ROOT / "serve.py", port=0)
    with worker_threads(2) as executor:
        thread = threading.Thread(target=client)
        thread.start()
        assert web_server.serve(app_of(model, s, executor), s) == 0
        thread.join()
    assert results == {"/health": 503, "/api/v1/sheets": 503, "first": 200}
    assert "Open http://127.0.0.1:" in capsys.readouterr().out
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", int(made[0].effective_port)), timeout=5)


@pytest.mark.parametrize("changes", [{"host": "no.such.host.invalid"}, {"host": "192.0.2.1"}])
def test_addresses_where_nothing_can_listen(changes):
    with pytest.raises(UserError, match="nothing can listen there"):
        served(AnySheet(), **changes).__enter__()


def test_a_port_that_is_taken():
    with served(AnySheet()) as one, pytest.raises(UserError, match="a port that no other program uses"):
        served(AnySheet(), port=one.address[1]).__enter__()

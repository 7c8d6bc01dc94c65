"""The proxy does to a connection what it says: a fault that does nothing would make every proof worthless."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fault.proxy import Proxy
from tests.servers import wait_for


class Echo:
    """Sends back what it gets; counts its connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                connection.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(lambda: echo.port) as made:
        yield made


@contextlib.contextmanager
def client(proxy: Proxy, timeout_s: float = 5.0) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s) as made:
        yield made


def ask(end: socket.socket, question: bytes = b"?") -> bytes:
    end.sendall(question)
    answer = b""
    while len(answer) < len(question):
        piece = end.recv(65_536)
        if not piece:
            break
        answer += piece
    return answer


def test_in_fair_weather_every_byte_passes_in_order(proxy: Proxy) -> None:
    text = bytes(range(256)) * 4_000
    with client(proxy) as end:
        threading.Thread(target=end.sendall, args=(text,), daemon=True).start()
        got = b""
        while len(got) < len(text):
            got += end.recv(65_536)
    assert got == text


def test_a_cut_resets_what_is_open_and_what_comes_and_ends_with_its_block(proxy: Proxy) -> None:
    with client(proxy) as end:
        assert ask(end) == b"?"
        with proxy.cut():
            with pytest.raises(ConnectionResetError):
                end.recv(1)
            with client(proxy) as another, pytest.raises(ConnectionResetError):
                another.recv(1)
    with client(proxy) as end:
        assert ask(end) == b"?"


def test_half_open_lets_the_connection_stand_and_the_bytes_vanish(proxy: Proxy) -> None:
    with client(proxy, timeout_s=0.3) as end:
        assert ask(end) == b"?"
        with proxy.half_open(), pytest.raises(TimeoutError):
            ask(end)
        with pytest.raises(ConnectionResetError):  # it lost bytes and must not go on as if it had not
            end.recv(1)


def test_a_stall_holds_everything_back_and_loses_nothing(proxy: Proxy) -> None:
    with client(proxy, timeout_s=0.3) as end:
        with proxy.stall():
            end.sendall(b"later")
            with pytest.raises(TimeoutError):
                end.recv(5)
        end.settimeout(5)
        assert end.recv(5) == b"later"


def test_a_delay_moves_every_byte_by_as_much_each_way(proxy: Proxy) -> None:
    with client(proxy) as end, proxy.delay(0.2):
        began = time.monotonic()
        assert ask(end) == b"?"
        assert time.monotonic() - began >= 0.4


def test_a_throttle_bounds_the_rate(proxy: Proxy, echo: Echo) -> None:
    with client(proxy, timeout_s=20) as end, proxy.throttle(200_000):
        began = time.monotonic()
        assert len(ask(end, bytes(100_000))) == 100_000
        assert time.monotonic() - began >= 0.4
    wait_for(lambda: echo.connections == 1, what="connection")

"""A TCP proxy that is the bad network: it cuts, delays, throttles, stalls and half-opens what passes through it.

In tests: ``with Proxy(lambda: port) as proxy: …; with proxy.cut(): …``. By hand, for any client and server::

    python -m tests.fault.proxy --listen 4841 --to 192.168.0.10:4840

and then one command per line: cut · mend · half-open · stall · delay 0.3 · throttle 20000 · status · quit.
"""

import argparse
import asyncio
import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for no time: close() sends RST
_PIECE_BYTES = 16_384  # read at once; what a cut can catch on its way


@dataclass(frozen=True, slots=True)
class Weather:
    """What the network does to every connection now."""

    refuses: bool = False  # connections end with a reset, new ones too
    swallows: bool = False  # bytes vanish and nobody is told: the peer went without a word
    stalls: bool = False  # bytes stay where they are: the peer is there and reads nothing
    delay_s: float = 0.0  # each way
    bytes_per_s: float = 0.0  # each way and connection; 0 = as fast as it goes


FAIR = Weather()


class Proxy:
    """One listener on loopback in a thread of its own. Every fault is a context manager that ends it again."""

    def __init__(self, target: Callable[[], int | tuple[str, int]], *, port: int = 0) -> None:
        self.connections = 0
        self.refused = 0
        self.bytes = 0
        self.weather = FAIR
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._ends: set[asyncio.StreamWriter] = set()
        self._tainted: set[asyncio.StreamWriter] = set()  # bytes of theirs are gone: no stream any more
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        started: list[int] = []
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(port, started, ready), daemon=True, name="proxy")
        self._thread.start()
        ready.wait(10)
        self.port = started[0]

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection and the listener."""
        if self._thread.is_alive():
            self.set(replace(FAIR, refuses=True))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def set(self, weather: Weather) -> None:
        """Change the weather; returns when it holds."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._turn, weather, done)
        done.wait(10)

    @contextlib.contextmanager
    def during(self, weather: Weather) -> Iterator[None]:
        self.set(weather)
        try:
            yield
        finally:
            self.set(FAIR)

    def cut(self) -> contextlib.AbstractContextManager[None]:
        """Every connection is reset and new ones are."""
        return self.during(Weather(refuses=True))

    def half_open(self) -> contextlib.AbstractContextManager[None]:
        """Connections stay open, bytes vanish; such connections are reset when it ends."""
        return self.during(Weather(swallows=True))

    def stall(self) -> contextlib.AbstractContextManager[None]:
        """Nothing moves and nothing is lost."""
        return self.during(Weather(stalls=True))

    def delay(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        return self.during(Weather(delay_s=seconds))

    def throttle(self, bytes_per_s: float) -> contextlib.AbstractContextManager[None]:
        return self.during(Weather(bytes_per_s=bytes_per_s))

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _serve(self, port: int, started: list[int], ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", port))
        started.append(server.sockets[0].getsockname()[1])
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))

    def _turn(self, weather: Weather, done: threading.Event) -> None:
        gone = self._ends if weather.refuses else self._tainted if not weather.swallows else ()
        for end in list(gone):
            _reset(end)
        self.weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        done.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._ends.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.weather.refuses:
                self.refused += 1
                _reset(writer)
                return
            target = self._target()
            host, port = target if isinstance(target, tuple) else ("127.0.0.1", target)
            far_reader, far = await asyncio.open_connection(host, port)
            self._ends.add(far)
            self.connections += 1
            pumps = {
                asyncio.ensure_future(self._pump(reader, far)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass
        finally:
            ends = {writer} if far is None else {writer, far}
            broken = self.weather.refuses or bool(self._tainted & ends)
            for end in ends:
                _reset(end) if broken else end.close()
            self._ends -= ends
            self._tainted -= ends
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction. A delay lets everything through later, not slower."""
        loop, due = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](1_000)
        sender = asyncio.ensure_future(self._send(due, writer))
        try:
            while data := await reader.read(_PIECE_BYTES):
                await due.put((loop.time() + self.weather.delay_s, data))
                if sender.done():
                    return
            await due.put((loop.time() + self.weather.delay_s, b""))
            await sender
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, due: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            at_s, data = await due.get()
            await asyncio.sleep(at_s - loop.time())
            while self.weather.stalls:
                await self._changed.wait()
            if not data:
                return
            if self.weather.swallows:
                self._tainted.add(writer)
                continue
            writer.write(data)
            self.bytes += len(data)
            await writer.drain()
            if self.weather.bytes_per_s:
                await asyncio.sleep(len(data) / self.weather.bytes_per_s)


def _reset(end: asyncio.StreamWriter) -> None:
    """End it with RST, as a machine does that knows nothing of the connection."""
    with contextlib.suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    end.transport.abort()


def _obey(proxy: Proxy, words: list[str]) -> None:
    match words:
        case ["cut"]:
            proxy.set(Weather(refuses=True))
        case ["half-open"]:
            proxy.set(Weather(swallows=True))
        case ["stall"]:
            proxy.set(Weather(stalls=True))
        case ["delay", seconds]:
            proxy.set(replace(proxy.weather, delay_s=float(seconds)))
        case ["throttle", rate]:
            proxy.set(replace(proxy.weather, bytes_per_s=float(rate)))
        case ["mend"]:
            proxy.set(FAIR)
        case ["status"]:
            pass
        case _:
            print("cut · mend · half-open · stall · delay <seconds> · throttle <bytes/s> · status · quit")
            return
    print(f"{proxy.weather}  {proxy.connections} connections, {proxy.refused} refused, {proxy.bytes} bytes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=int, default=0, help="port on 127.0.0.1; 0 = any")
    parser.add_argument("--to", required=True, help="host:port")
    arguments = parser.parse_args()
    host, _, port = arguments.to.rpartition(":")
    with Proxy(lambda: (host or "127.0.0.1", int(port)), port=arguments.listen) as proxy:
        print(f"127.0.0.1:{proxy.port} → {arguments.to}", flush=True)
        for line in sys.stdin:
            if line.split() == ["quit"]:
                return
            if line.strip():
                _obey(proxy, line.split())


if __name__ == "__main__":
    main()

"""A server whose clock is set back, ahead and to the year 2000 while it is read: every value is kept, at its right time."""

from pathlib import Path

import pytest

from tests.contract.opcua_rig import MemorySink, ServerProcess, more, node, running, source_of, source_settings
from tests.waiting import until
from twin.wire.reading import GapCause, Quality

S = 1_000_000_000
ITEMS = 4


@pytest.mark.parametrize("off_s", [3600, -3600, -820_000_000])
async def test_a_server_whose_clock_steps_is_read_at_the_right_times(tmp_path: Path, off_s: int) -> None:
    server = ServerProcess(tmp_path, ("--items", str(ITEMS)))
    await server.start()
    source = source_of(source_settings(server.port, [node(f"v{number}") for number in range(ITEMS)]))
    sink = MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell(f"clock {off_s}")
        await until(lambda: source.status().facts["clock_steps"] == 1, "the step to be noticed")
        await more(sink, source, 200)
        facts, detail = source.status().facts, source.status().detail
        await server.tell("clock 0")
        await until(lambda: source.status().facts["clock_steps"] == 2, "the step back to be noticed")
        await more(sink, source, 200)
        assert source.status().detail == ""
    await server.kill()
    assert abs(facts["clock_offset_s"] - off_s) < 0.5
    assert facts["clock_correction_s"] == -facts["clock_offset_s"]
    assert f"{off_s:+,} s off"[:4] in detail
    for handle in range(ITEMS):
        own = [one for one in sink.readings if one.handle == handle and one.value >= 1]
        assert all(-0.5 * S < one.received_ns - one.source_ns < 3 * S for one in own)
        times = [one.source_ns for one in own]
        assert len(set(times)) == len(times)
        counts = [round(one.value - handle / 1000) for one in own]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        assert any(one.quality & Quality.TIME_ADJUSTED for one in own)
    steps = {gap.detail[:33] for gap in sink.gaps if gap.cause is GapCause.CLOCK_STEP}
    assert steps == {"the server's clock was stepped by"}


async def test_a_device_with_a_clock_of_its_own_does_not_disturb_the_others(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, ("--items", str(ITEMS)))
    await server.start()
    source = source_of(source_settings(server.port, [node(f"v{number}") for number in range(ITEMS)]))
    sink = MemorySink()
    async with running(source, sink):
        await more(sink, source)
        await server.tell("device -820000000")
        await until(lambda: source.status().facts["times_replaced"], "the device to be noticed")
        await more(sink, source, 100)
        await server.tell("device 7200")
        await more(sink, source, 100)
        await server.tell("device 0")
        await more(sink, source, 100)
        facts = source.status().facts
    await server.kill()
    assert facts["clock_steps"] == 0
    for handle in range(ITEMS):
        own = [one for one in sink.readings if one.handle == handle and one.value >= 1]
        counts = [round(one.value - handle / 1000) for one in own]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        assert len({one.source_ns for one in own}) == len(own)
        assert all(-0.5 * S < one.received_ns - one.source_ns < 3 * S for one in own)
        assert any(one.quality & Quality.TIME_ADJUSTED for one in own) is (handle == 0)

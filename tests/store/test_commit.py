"""Commit and replay: every row once, handed out as it was stored."""

import asyncio

import numpy as np
import pytest

from tests.store.batches import DAY, EPOCH, T0, S, admitted, grid, same
from twin.errors import Rejected
from twin.ingest.admit import Rejection, SignalGap
from twin.wire.reading import Lane

OTHER = "f" * 32


async def replayed(store, seq=0, **more):
    return [item async for item in store.samples.since(seq, **more)]


async def count(store, table):
    async with store.database.connection() as connection:
        return (await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone())[0]


async def check_replay(store, committed):
    """What was handed out is what a replay gives."""
    fresh = sorted((one for one in committed if one.seq), key=lambda one: one.seq)
    found = await replayed(store)
    assert [seq for seq, _ in found] == [one.seq for one in fresh]
    assert all(same(one.batch, batch) for one, (_, batch) in zip(fresh, found, strict=True))


async def test_a_committed_batch_is_replayed_with_the_same_columns(store):
    time = T0 + np.arange(6) * S
    server = [0, 0, T0, T0 + 1000, 0, T0]
    values = [0.5, np.nan, -0.0, np.inf, 1e300, 5e-324]
    texts = [(9, T0, "order 7"), (9, T0 + S, "äö😀")]
    given = admitted([1, 1, 2, 2, 3, 3], time, values, server=server, lane=Lane.HISTORY, texts=texts)
    (done,) = await store.samples.commit([given])
    assert same(done.batch, given.batch)
    assert np.signbit(done.batch.value[2])
    await check_replay(store, [done])


async def test_times_are_floored_to_the_microsecond_in_what_is_handed_out_too(store):
    given = admitted([1], [T0 + 1999], server=[T0 + 2999])
    (done,) = await store.samples.commit([given])
    assert (done.batch.time[0], done.batch.server[0]) == (T0 + 1000, T0 + 2000)
    await check_replay(store, [done])


async def test_a_number_that_is_there_already_adds_no_rows_and_is_receipted_again(store):
    gap = SignalGap(1, T0, T0 + S, "agent-down", "")
    first = grid(2, 3, number=1, gaps=[gap], rejections=[Rejection("unknown-signal", "x", "a/b", T0, "1")])
    (one,) = await store.samples.commit([first])
    again, new = await store.samples.commit([first, grid(2, 3, start=T0 + DAY, number=2)])
    assert (again.seq, len(again.batch), again.receipt) == (0, 0, new.receipt)
    assert new.receipt.high_water == 2
    assert [await count(store, table) for table in ("sample", "batch", "gap", "rejected")] == [12, 2, 1, 1]
    await check_replay(store, [one, again, new])


async def test_the_same_number_twice_in_one_transaction_counts_once(store):
    one, two = await store.samples.commit([grid(1, 3), grid(1, 3, start=T0 + DAY)])
    assert (len(one.batch), len(two.batch), two.seq) == (3, 0, 0)
    assert await count(store, "sample") == 3


async def test_the_receipt_tells_the_contiguous_mark_and_the_ranges_above(store):
    for number in (2, 1, 5, 6, 9):
        (done,) = await store.samples.commit([admitted(number=number)])
    assert (done.receipt.epoch, done.receipt.high_water, done.receipt.above) == (EPOCH, 2, ((5, 6), (9, 9)))
    (done,) = await store.samples.commit([admitted(number=7)])
    assert done.receipt.above == ((5, 7), (9, 9))
    (other,) = await store.samples.commit([admitted(number=3, epoch=OTHER)])
    assert (other.receipt.epoch, other.receipt.high_water, other.receipt.above) == (OTHER, 0, ((3, 3),))
    assert dict(await store.nodes.receipts())["edge-1"] == other.receipt


async def test_keys_that_are_there_already_keep_their_first_value_and_are_not_handed_out(store):
    (one,) = await store.samples.commit([grid(3, 10, number=1, texts=[(9, T0, "a"), (9, T0 + S, "b")])])
    texts = [(9, T0, "c"), (9, T0 + 2 * S, "d")]
    overlap = grid(3, 10, start=T0 + S // 2, number=2, first_signal=2, value=np.full(30, 7.0), texts=texts)
    (two,) = await store.samples.commit([overlap])
    assert len(two.batch) == 30 - 2 * 5
    assert two.batch.texts.text == ("d",)
    assert await count(store, "sample") == 50
    await check_replay(store, [one, two])


async def test_keys_that_two_batches_of_one_transaction_share_belong_to_the_earlier_one(store):
    done = await store.samples.commit([
        grid(2, 10, number=1), grid(2, 10, start=T0 + S // 2, number=2), grid(2, 10, start=T0 + 100 * S, number=3),
    ])  # fmt: skip
    assert [len(one.batch) for one in done] == [20, 10, 20]
    await check_replay(store, done)


async def test_batches_without_numbers_are_stored_once_by_key(store):
    (one,) = await store.samples.commit([grid(2, 5, number=0, epoch="")])
    (two,) = await store.samples.commit([grid(2, 6, number=0, epoch="")])
    assert (one.receipt, two.receipt) == (None, None)
    assert (len(one.batch), len(two.batch)) == (10, 2)
    assert await count(store, "sample") == 12
    await check_replay(store, [one, two])


@pytest.mark.parametrize("days", [[0], [-9000, -365, -1, 0, 1], range(60)])
async def test_samples_of_any_day_find_a_place(store, days):
    batches = [grid(2, 3, start=T0 + day * DAY + DAY // 2, number=place) for place, day in enumerate(days, 1)]
    done = await store.samples.commit(batches)
    assert await count(store, "sample") == 6 * len(batches)
    await check_replay(store, done)


async def test_a_day_that_was_dropped_meanwhile_is_made_again(store, edition):
    await store.samples.commit([grid(1, 3, number=1)])
    async with store.database.connection() as connection:
        chunks = "SELECT drop_chunks('sample', now() + interval '99 years')"
        await connection.execute("DROP TABLE sample_20260101" if edition == "plain" else chunks)
    (done,) = await store.samples.commit([grid(1, 3, number=2)])
    assert len(done.batch) == 3
    assert await count(store, "sample") == 3


async def test_a_mixed_block_of_rows_with_and_without_server_time_is_stored_exactly(store):
    rng = np.random.default_rng(1)
    given = grid(50, 40, server=np.where(rng.random(2000) < 0.5, 0, T0 + rng.integers(0, 10**9, 2000) * 1000))
    (done,) = await store.samples.commit([given])
    assert same(done.batch, given.batch)
    await check_replay(store, [done])


async def test_concurrent_commits_lose_nothing_and_number_in_order_of_commit(store):
    tasks = [
        store.samples.commit([grid(5, 20, start=T0 + number * S, number=number, node=f"edge-{number % 3}")])
        for number in range(1, 31)
    ]
    done = [one for part in await asyncio.gather(*tasks) for one in part]
    assert sorted(one.seq for one in done) == list(range(1, 31))
    await check_replay(store, done)
    receipts = dict(await store.nodes.receipts())
    assert sum(len(r.above) + (r.high_water > 0) for r in receipts.values()) == 30


async def test_concurrent_commits_of_the_same_batch_store_it_once(store):
    given = grid(5, 200, number=4)
    done = [one for part in await asyncio.gather(*(store.samples.commit([given]) for _ in range(6))) for one in part]
    assert sorted(one.seq > 0 for one in done) == [False] * 5 + [True]
    assert await count(store, "sample") == 1000


async def test_a_batch_that_can_never_be_stored_is_rejected_and_leaves_nothing(store):
    bad = admitted([1], [T0], gaps=[SignalGap(2**40, T0, T0 + S, "agent-down", "an id that no signal can have")])
    with pytest.raises(Rejected, match="out of range"):
        await store.samples.commit([grid(2, 3, number=7), bad])
    assert [await count(store, table) for table in ("sample", "batch", "gap", "node_epoch")] == [0, 0, 0, 0]


@pytest.mark.parametrize("states", [("open", "backfilled"), ("backfilled", "open"), ("open", "backfilled", "lost")])
async def test_a_gap_that_is_told_again_gets_its_final_state_once(store, states):
    for place, state in enumerate(states, start=1):
        gap = SignalGap(4, T0, T0 + S, "sequence-jump", f"told {place}", state)
        await store.samples.commit([admitted(gaps=[gap], number=place)])
    (found,) = await store.gaps.between(4, T0, T0 + DAY)
    assert found.state == "backfilled"


async def test_gaps_and_rejections_are_written_with_the_batch(store):
    gap = SignalGap(4, T0 + 1, T0 + S + 1, "spool-drop", "de\0tail")
    rejection = Rejection("not-finite", "why\0", "a/b", T0 + 5000, "na\0n")
    bare = Rejection("malformed", "no batch at all")
    await store.samples.commit([admitted(gaps=[gap], rejections=[rejection, bare])])
    (found,) = await store.gaps.between(4, T0, T0 + DAY)
    assert (found.from_ns, found.to_ns, found.cause, found.state) == (T0, T0 + S + 1000, "spool-drop", "lost")
    assert await store.gaps.between(4, T0 + 2 * S, T0 + DAY) == []
    assert await count(store, "rejected") == 2


async def test_a_text_with_a_zero_character_is_stored_without_it(store):
    (done,) = await store.samples.commit([admitted(texts=[(9, T0, "a\0b")])])
    assert done.batch.texts.text == ("a�b",)
    await check_replay(store, [done])


async def test_replay_begins_behind_the_seq_and_pages(store):
    batches = [grid(2, 3, start=T0 + number * S, number=number) for number in range(1, 8)]
    done = [(await store.samples.commit([batch]))[0] for batch in batches]
    found = await replayed(store, done[2].seq, limit_batches=2)
    assert [seq for seq, _ in found] == [one.seq for one in done[3:]]


async def test_an_empty_commit_does_nothing(store):
    assert await store.samples.commit([]) == []

"""From samples in the order of commitment to frames: the vector of an asset's measurements at equal instants.

In: columns of a committed batch. Out: rows of frames, one per asset and slot; a slot is one frame's length of time, the
frame stands for its end. A frame is told as soon as every signal that speaks has passed its end, or one signal has
passed it by `WAIT` slots; it depends on the order of samples only, not on how they were cut into batches.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled
from twin.kernels.layout import NEVER_NS, Scalar

WAIT = 30  # slots for signals that are late
RING = 64  # slots that wait at most
GIVEN_UP_NS = NEVER_NS + 1  # `time` of a signal that has never spoken and is not waited for

ASSET = np.dtype(
    [
        ("next", np.int64),  # slot of the next frame, NEVER_NS before the first sample
        ("newest", np.int64),  # ns UTC, of all its signals
        ("late", np.int64),  # samples that came when their frame had been told
    ]
)
PLACE = np.dtype(
    [
        ("time", np.int64),  # ns UTC of the last sample
        ("held_at", np.int64),  # of the value
        ("held", np.float64),  # NaN = unknown
    ]
)
TOLD = np.dtype([("asset", np.int64), ("slot", np.int64), ("row", np.int64)])


class FramePlan(NamedTuple):
    """Which signals make an asset's frame."""

    place: NDArray[np.int64]  # [signal ids] place in the asset's rows, -1 = not part of a frame
    asset: NDArray[np.int64]  # [signal ids]
    start: NDArray[np.int64]  # [assets + 1] first place of each asset; its machine state is the last one
    frame_ns: NDArray[np.int64]  # [assets] length of a slot
    hold_ns: NDArray[np.int64]  # [places] a value is good for so long


class FrameState(NamedTuple):
    """What is known between two batches."""

    assets: NDArray[np.void]  # [assets] ASSET
    places: NDArray[np.void]  # [places] PLACE
    pending: NDArray[np.float64]  # [RING, places] NaN = no sample in this slot, inf = it was bad


def new_state(assets: int, places: int) -> FrameState:
    """Nothing was ever said."""
    state = FrameState(np.zeros(assets, ASSET), np.zeros(places, PLACE), np.full((RING, places), np.nan))
    state.assets["next"] = NEVER_NS
    state.assets["newest"] = NEVER_NS
    state.places["time"] = NEVER_NS
    state.places["held_at"] = NEVER_NS
    state.places["held"] = np.nan
    return state


@compiled
def due(asset: int, plan: FramePlan, state: FrameState) -> bool:
    """Whether nothing more is to be waited for in the next slot."""
    end = (state.assets[asset]["next"] + 1) * plan.frame_ns[asset]
    newest = state.assets[asset]["newest"]
    if newest < end:
        return False
    measured = range(plan.start[asset], plan.start[asset + 1] - 1)
    if newest >= end + WAIT * plan.frame_ns[asset]:
        for p in measured:
            if state.places[p]["time"] == NEVER_NS:
                state.places[p]["time"] = GIVEN_UP_NS
        return True
    for p in measured:
        time = state.places[p]["time"]
        if time == NEVER_NS or (time != GIVEN_UP_NS and time < end and newest - time <= plan.hold_ns[p]):
            return False
    return True


@compiled
def tell(
    asset: int,
    plan: FramePlan,
    state: FrameState,
    told: NDArray[np.void],
    values: NDArray[np.float64],
    used: int,
    at: int,
) -> int:
    """Write the frame of the next slot; returns where the following one goes in `values`."""
    slot = state.assets[asset]["next"]
    end = (slot + 1) * plan.frame_ns[asset]
    last = plan.start[asset + 1] - 1
    told[used]["asset"] = asset
    told[used]["slot"] = slot
    told[used]["row"] = at
    for p in range(plan.start[asset], last + 1):
        place = state.places[p]
        value = state.pending[slot % RING, p]
        if value == value:
            place["held"] = value if value < np.inf else np.nan
            place["held_at"] = end
            state.pending[slot % RING, p] = np.nan
        values[at] = place["held"] if p == last or end - place["held_at"] <= plan.hold_ns[p] else np.nan
        at += 1
    state.assets[asset]["next"] = slot + 1
    return at


@compiled
def forget_waiting(asset: int, plan: FramePlan, state: FrameState) -> None:
    """Before a jump: what came too late for the slots that are told would stand in later ones."""
    for slot in range(RING):
        for p in range(plan.start[asset], plan.start[asset + 1]):
            state.pending[slot, p] = np.nan


@compiled
def assemble(
    signal: NDArray[np.int32],
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    bad: NDArray[np.bool_],
    begin: int,
    plan: FramePlan,
    state: FrameState,
    told: NDArray[np.void],
    values: NDArray[np.float64],
) -> tuple[int, int]:
    """Take samples begin, begin + 1, … of a batch.

    told [m] TOLD, values: room for the frames. Returns where it stopped (n, or earlier when there is little room left:
    call again from there), and the frames used.
    """
    used, at = 0, 0
    for e in range(begin, signal.shape[0]):
        if signal[e] >= plan.place.shape[0] or plan.place[signal[e]] < 0:
            continue
        p: Scalar = plan.place[signal[e]]
        a: Scalar = plan.asset[signal[e]]
        size = plan.start[a + 1] - plan.start[a]
        if used + 2 * RING > told.shape[0] or at + 2 * RING * size > values.shape[0]:
            return e, used
        asset, place = state.assets[a], state.places[p]
        if time[e] <= place["time"]:
            continue
        slot = (time[e] - 1) // plan.frame_ns[a]
        if asset["next"] == NEVER_NS:
            asset["next"] = slot
        if slot < asset["next"]:
            asset["late"] += 1
            slot = asset["next"]
        if slot >= asset["next"] + RING:
            for _ in range(RING):  # what waits is told, then the silence is skipped
                if asset["next"] * plan.frame_ns[a] < asset["newest"]:
                    at = tell(a, plan, state, told, values, used, at)
                    used += 1
            forget_waiting(a, plan, state)
            asset["next"] = max(asset["next"], slot - WAIT)
        place["time"] = time[e]
        asset["newest"] = max(asset["newest"], time[e])
        state.pending[slot % RING, p] = np.inf if bad[e] or not np.isfinite(value[e]) else value[e]
        while due(a, plan, state):
            at = tell(a, plan, state, told, values, used, at)
            used += 1
    return signal.shape[0], used

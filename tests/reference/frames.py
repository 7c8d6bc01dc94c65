"""Frames of one asset as a plain loop over samples with dictionaries, written from the description, not from the kernel."""

import math

WAIT, RING = 30, 64


class PlainFrames:
    """places: names, the machine state last; hold_ns by place. `take` returns the frames that a sample completes."""

    def __init__(self, places, hold_ns, frame_ns):
        self.places, self.hold, self.length = places, hold_ns, frame_ns
        self.next = None
        self.newest = None
        self.time, self.held, self.pending, self.given_up = {}, {}, {}, set()

    def take(self, place, time, value, bad):
        told = []
        if place in self.time and time <= self.time[place]:
            return told
        slot = (time - 1) // self.length
        if self.next is None:
            self.next = slot
        slot = max(slot, self.next)
        if slot >= self.next + RING:
            while self.newest is not None and self.next * self.length < self.newest and len(told) < RING:
                told.append(self._tell())
            self.next = max(self.next, slot - WAIT)
        self.time[place] = time
        self.given_up.discard(place)
        self.newest = time if self.newest is None else max(self.newest, time)
        self.pending[slot, place] = math.nan if bad or not math.isfinite(value) else value
        while self._due():
            told.append(self._tell())
        return told

    def _due(self):
        end = (self.next + 1) * self.length
        if self.newest < end:
            return False
        if self.newest >= end + WAIT * self.length:
            self.given_up |= {one for one in self.places[:-1] if one not in self.time}
            return True
        for one in self.places[:-1]:
            if one not in self.time:
                if one not in self.given_up:
                    return False
            elif self.time[one] < end and self.newest - self.time[one] <= self.hold[one]:
                return False
        return True

    def _tell(self):
        end = (self.next + 1) * self.length
        for one in self.places:
            if (self.next, one) in self.pending:
                self.held[one] = (end, self.pending.pop((self.next, one)))
        row = []
        for one in self.places:
            at, value = self.held.get(one, (None, math.nan))
            fresh = at is not None and (one == self.places[-1] or end - at <= self.hold[one])
            row.append(value if fresh else math.nan)
        self.next += 1
        return self.next - 1, row

"""The hour of the week as a plain dictionary: what is usual in each hour, learnt when the hour is over."""


class PlainSeason:
    """One signal; hours: (begin [ns], slot) in order of time."""

    def __init__(self, hours):
        self.hours = hours
        self.usual = {}
        self.base, self.slot = 0.0, None

    def enter(self, time, silent_s, mean, last):
        """The first sample of another hour; returns mean and last as they are now."""
        slot = [slot for begin, slot in self.hours if begin <= time][-1]
        if self.slot is not None and silent_s <= 1800:
            seen = self.base + mean
            before = self.usual.get(self.slot, seen)
            self.usual[self.slot] = before + 0.4 * (seen - before)
        new = self.usual.get(slot, self.base)
        last += self.base - new
        mean = 0.0 if slot in self.usual else mean
        self.base, self.slot = new, slot
        return mean, last

"""The active-period method as plain loops over (machine, start, stop), written from the paper, not from the kernel."""


def chain(periods, begin, end):
    """The bottleneck periods one after the other."""
    now, found = begin, []
    while now < end:
        active = [one for one in periods if one[1] <= now < one[2]]
        if active:
            best = max(active, key=lambda one: (one[2] - one[1], -one[0]))
            found.append(best)
            now = best[2]
            continue
        now = min((one[1] for one in periods if one[1] > now), default=end)
    return found


def shares(found, begin, end):
    """machine → [sole, shifting], counted unit by unit of time: only for small whole numbers."""
    result = {}
    for place, (machine, start, stop) in enumerate(found):
        for at in range(max(start, begin), min(stop, end)):
            before = place > 0 and at < found[place - 1][2]
            after = place + 1 < len(found) and at >= found[place + 1][1]
            result.setdefault(machine, [0, 0])[int(before or after)] += 1
    return result

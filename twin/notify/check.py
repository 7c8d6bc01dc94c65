"""What is wrong with the routes, seen against the plant (pure). In: settings and plant. Out: problems, one per line."""

from collections.abc import Iterator

from twin.notify.settings import NotifySettings
from twin.plant.tree import Plant
from twin.state.alarm_rules import GATEWAYS


def notify_problems(settings: NotifySettings, plant: Plant) -> Iterator[str]:
    """``notify.routes.<n>.<key>: what is wrong; what to do``."""
    shifts = {pattern.name for calendar in plant.calendars.values() for pattern in calendar.patterns}
    for number, route in enumerate(settings.routes):
        here = f"notify.routes.{number}"
        for path in route.under:
            if path.partition("/")[0] != GATEWAYS and not plant.has_asset(path) and not plant.has_signal(path):
                yield f"{here}.under: there is no asset or signal {path!r} in the plant; correct the path"
        for shift in route.shifts:
            if shift not in shifts:
                yield f"{here}.shifts: there is no shift {shift!r}; name one of {', '.join(sorted(shifts))}"

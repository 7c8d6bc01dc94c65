"""What the small table says of units is what pint says; what does not fit together is refused."""

import itertools

import pint
import pytest

from edge.units import conversion, is_known

REGISTRY = pint.UnitRegistry(cache_folder=None)
# Groups of units that measure the same: our name → pint's, where it differs.
SAME = [
    {"m": "", "km": "", "mm": "", "µm": "", "cm": "", "in": "inch", "ft": "foot", "mi": "mile", "nmi": "nautical_mile"},
    {"kg": "", "g": "", "t": "", "lb": "", "oz": "", "mg": ""},
    {"s": "", "ms": "", "µs": "", "min": "", "h": "", "d": "day"},
    {"°C": "degC", "°F": "degF", "K": "kelvin", "degC": "", "celsius": "degC", "FAHRENHEIT": "degF"},
    {"m/s": "", "km/h": "", "mm/s": "", "m/min": "", "kn": "knot", "mph": "", "ft/min": "foot/min"},
    {"m/s²": "m/s^2", "mm/s^2": ""},
    {"Pa": "", "kPa": "", "hPa": "", "bar": "", "mbar": "", "psi": "", "atm": "", "mmHg": "", "N/mm²": "N/mm^2"},
    {"N": "", "kN": "", "lbf": "", "kgf": ""},
    {"N·m": "N*m", "NEWTON_METER": "N*m", "kNm": "kN*m"},
    {"W": "", "kW": "", "MW": "", "hp": "", "KILOWATT": "kW"},
    {"J": "", "kJ": "", "Wh": "", "kWh": "", "kcal": "", "BTU": ""},
    {"L": "", "l": "", "ml": "", "m³": "m^3", "m3": "m^3", "gal": "gallon", "dm³": "dm^3"},
    {"L/min": "", "m³/h": "m^3/h", "l/s": "", "m3/h": "m^3/h"},
    {"rpm": "", "rad/s": "", "°/s": "deg/s", "REVOLUTION/MINUTE": "rpm", "DEGREE/SECOND": "deg/s"},
    {"rad": "", "deg": "", "rev": "revolution"},
    {"Hz": "1/s", "kHz": "1/ms", "1/min": "", "1/s": ""},
    {"V": "", "mV": "", "kV": "", "MILLIVOLT": "mV"},
    {"A": "", "mA": "", "AMPERE": "A"},
    {"Ω": "ohm", "kΩ": "kohm", "MOhm": "Mohm"},
    {"%": "percent", "1": "dimensionless", "ppm": "", "PERCENT": "percent"},
    {"lx": "lux", "lm/m²": "lumen/m^2"},
    {"F": "farad", "µF": "microfarad"},
    {"S": "siemens", "mS": "millisiemens"},
    {"T": "tesla", "mT": "millitesla"},
    {"Ah": "ampere_hour", "C": "coulomb"},
]
PAIRS = [pair for group in SAME for pair in itertools.permutations(group.items(), 2)]


@pytest.mark.parametrize(("source", "wanted"), PAIRS, ids=[f"{a[0]} to {b[0]}" for a, b in PAIRS])
def test_every_conversion_is_the_one_of_pint(source, wanted):
    ours = conversion(source[0], wanted[0])
    expected = REGISTRY.Quantity(7.25, source[1] or source[0]).to(wanted[1] or wanted[0]).magnitude
    assert ours.scale * 7.25 + ours.offset == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("bar", "°C"), ("rpm", "Hz"), ("VA", "W"), ("moves", "parts"), ("kg", "N"), ("", "kg"), ("kg", ""), ("m", "m²")],
)
def test_units_of_different_quantities_are_refused(source, wanted):
    with pytest.raises(ValueError, match=r"do not measure the same|not known"):
        conversion(source, wanted)


@pytest.mark.parametrize("unit", ["Grad", "xyz", "m/", "/", "kkg", "m^9", "%%", "k°C"])
def test_an_unknown_unit_is_known_only_to_itself(unit):
    assert not is_known(unit)
    assert conversion(unit, unit) == (1.0, 0.0)
    with pytest.raises(ValueError, match="not known"):
        conversion(unit, "m")


def test_what_a_plant_counts_has_units_too():
    assert conversion("moves", "move") == (1.0, 0.0)
    assert conversion("moves/h", "moves/min").scale == pytest.approx(1 / 60)
    assert conversion("TEU", "TEU") == (1.0, 0.0)

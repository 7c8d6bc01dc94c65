"""The probability that a fault begins within a horizon, calibrated or honestly "not enough data". Pure."""

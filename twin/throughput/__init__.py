"""Counters → production: rates and shift totals. Pure."""

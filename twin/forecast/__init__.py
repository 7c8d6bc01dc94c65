"""Throughput ahead of time: calendar, candidates, combination, intervals whose coverage is tracked. Pure."""

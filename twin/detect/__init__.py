"""Anomaly evidence: what the detectors found, in words a person can act on. Pure."""

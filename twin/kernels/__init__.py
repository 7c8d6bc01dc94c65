"""Compiled arithmetic: arrays in, arrays out. The only importer of numba."""

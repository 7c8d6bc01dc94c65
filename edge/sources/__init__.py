"""Equipment → readings: one module per protocol."""

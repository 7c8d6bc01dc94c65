"""The plant's flow simulated from its live state: analytic bounds and engines, scenarios, answers. Pure."""

"""The codes of `states.machine` in configs/plant.yaml, as the simulated machines use them."""

OFF, RUNNING, STARVED, BLOCKED, FAULT, SETUP, IDLE = range(7)

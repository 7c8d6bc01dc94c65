"""What exists: assets, signals, who feeds whom, and when the plant is meant to run. Pure."""

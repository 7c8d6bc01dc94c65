"""The slow loop: fit baselines, retrain risk, issue and score forecasts."""

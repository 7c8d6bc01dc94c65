"""The simulated plant: physics, its OPC UA server, its MQTT devices, the truth log. For commands and tests only."""

"""Installs the peers that the tests talk to: an OPC UA server and Sparkplug nodes that this project did not write."""

from page import ROOT, install

if __name__ == "__main__":
    for peers in ("opcua", "sparkplug"):
        install(ROOT / "tests" / "peers" / peers)

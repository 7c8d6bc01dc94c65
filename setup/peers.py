"""Installs the peers that the tests talk to: an OPC UA server that this project did not write."""

from page import ROOT, install

if __name__ == "__main__":
    install(ROOT / "tests" / "peers" / "opcua")

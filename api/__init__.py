"""The twin over HTTP: REST, the live WebSocket and the page."""

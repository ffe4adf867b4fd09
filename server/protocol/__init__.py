"""The protocol between add-on and server: framing, fields of requests, message loop. See docs/protocol.md."""

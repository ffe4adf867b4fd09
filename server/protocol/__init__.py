"""The boundary to the add-on: framing of messages, the fields of requests, the message loop. See docs/protocol.md."""

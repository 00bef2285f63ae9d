"""Translate between the bytes of HTTP and plain values; the meaning of the values is checked elsewhere."""

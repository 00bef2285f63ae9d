"""Translate between the bytes of HTTP and plain values, without asking what they mean."""

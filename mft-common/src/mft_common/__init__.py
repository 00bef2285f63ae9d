"""Code that two or more services of the hub need; it knows no vendor and imports no service."""

VERSION = "0.1.0"

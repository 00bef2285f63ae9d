"""Carry out managed transfers: take them, move their files in children, and report them."""

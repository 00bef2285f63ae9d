"""Syntax: parameters from query and form, answers as XML."""

"""Carry out one execution of a task in a child of the worker: find its files, and do its action with each."""

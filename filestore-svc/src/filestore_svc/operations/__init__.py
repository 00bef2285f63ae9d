"""Carry out the calls of the HTTP MFT REST API and of the internal interface: one method for each."""

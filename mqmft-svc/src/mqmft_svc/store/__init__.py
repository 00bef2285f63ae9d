"""Store the record of transfers."""

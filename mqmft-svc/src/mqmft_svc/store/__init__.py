"""Store the record of transfers, and what is known of agents."""

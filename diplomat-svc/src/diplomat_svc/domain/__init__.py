"""The nouns of the service: transactions, jobs, labels, variables. Nothing here reads or writes."""

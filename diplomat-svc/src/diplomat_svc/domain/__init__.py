"""The nouns of the service: transactions, jobs, labels, variables. No input or output."""

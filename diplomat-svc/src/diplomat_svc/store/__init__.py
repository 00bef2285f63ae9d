"""Store transactions, jobs, their files and log records, workers, and the change clock."""

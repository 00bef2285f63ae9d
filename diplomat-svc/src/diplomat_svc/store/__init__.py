"""Keep transactions, jobs, their files and records, and the clock of changes in the service's database."""

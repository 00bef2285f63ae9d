"""Keep accounts, sessions, the counts of the brake and the outbox in the gateway's database."""

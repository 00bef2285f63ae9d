"""Accounts, sessions, the login throttle and the outbox in the gateway's database."""

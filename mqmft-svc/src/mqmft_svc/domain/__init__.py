"""Pure types and rules: transfers and their states, agents, callers."""

"""Pure types and rules: transfers and their states, callers."""

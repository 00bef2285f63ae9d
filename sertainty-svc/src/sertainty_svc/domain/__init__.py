"""Hold the pure types of this service: functions, names, the agent, tasks and their executions, IDs and their rules."""

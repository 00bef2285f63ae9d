"""Store the agent, configurations and what belongs to them, executions of tasks, and the logs."""

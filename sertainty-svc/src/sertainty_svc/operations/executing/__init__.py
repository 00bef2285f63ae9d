"""Take executions of tasks, run each in a child of the worker, and write what happens to them."""

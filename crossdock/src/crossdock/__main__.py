"""Run the `crossdock` command as `python -m crossdock`."""

from crossdock.command import main

main(prog_name="crossdock")

"""Look at the resources of monitors, and begin the transfers of those whose condition is met (4.H)."""

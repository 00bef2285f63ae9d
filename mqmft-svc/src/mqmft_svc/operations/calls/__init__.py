"""Make HTTP calls: those of transfers, and those that are asked for by themselves (4.F, 1.M)."""

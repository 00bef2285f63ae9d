"""Reach files and folders of every kind of storage through one interface (`contract`)."""

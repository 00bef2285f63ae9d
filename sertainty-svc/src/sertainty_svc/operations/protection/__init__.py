"""Make and use the keys of this machine and of IDs; nothing here knows the database, so that children may use it."""

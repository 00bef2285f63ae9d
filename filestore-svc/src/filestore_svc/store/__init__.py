"""Remember folders, files and open transfers in a database, and the bytes beside it."""

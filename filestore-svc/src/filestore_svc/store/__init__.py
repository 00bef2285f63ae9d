"""Store folders, files and open transfers in a database, and the bytes of the files beside it."""

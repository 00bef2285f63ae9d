"""Define paths, names, rights, files, limits and listings, without any input or output."""

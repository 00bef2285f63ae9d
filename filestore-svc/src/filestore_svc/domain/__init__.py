"""Say what paths, names, rights, files and listings are, without any input or output."""

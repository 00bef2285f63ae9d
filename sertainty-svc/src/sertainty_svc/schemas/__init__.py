"""Read arguments, documents within them, and the section of crossdock.yaml into the types of the domain."""

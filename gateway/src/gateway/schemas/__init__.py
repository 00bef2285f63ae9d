"""Load the configuration's accounts and the arguments of the internal API into the gateway's own types."""

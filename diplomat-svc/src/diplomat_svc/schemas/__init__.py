"""Turn what the configuration and what clients say into the service's own types."""

"""Turn the configuration and the parameters of requests into the service's types."""

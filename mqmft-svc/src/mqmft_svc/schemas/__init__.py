"""Give what comes and goes its meaning: configuration, query parameters, attributes, bodies and answers."""

"""A whole Quire on one machine: an embedded broker, what the topology names on it, and every service, kept alive."""

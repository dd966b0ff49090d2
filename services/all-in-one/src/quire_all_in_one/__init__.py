"""Every service and an embedded broker with one command."""

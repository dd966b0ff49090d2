"""The HTTP door: checks what comes in, says it on the bus, and shows what is known of a job; it keeps nothing."""

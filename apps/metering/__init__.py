"""Smart metering: the application entities of the fourteen use cases, and the world they live in."""

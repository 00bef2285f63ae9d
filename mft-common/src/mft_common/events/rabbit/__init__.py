"""Events over RabbitMQ; only workers import this package."""

from mft_common.events.rabbit.bus import RabbitBus

__all__ = ["RabbitBus"]

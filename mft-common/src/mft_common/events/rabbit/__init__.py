"""Speak with RabbitMQ; only workers import this."""

from mft_common.events.rabbit.bus import RabbitBus

__all__ = ["RabbitBus"]

"""Put messages into the queues of a RabbitMQ server that others own, and take messages from them.

Only children of workers import `connection`, which needs pika.
"""

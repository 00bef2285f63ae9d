"""A queue of a real RabbitMQ server, as its other users see it."""

import pika


class Queue:
    """A durable queue on a connection of its own; `kind` is `quorum` or `classic`."""

    def __init__(self, url, name="Q", kind="quorum", **arguments):
        self.url, self.name = url, name
        parameters = pika.URLParameters(url)
        # A test may wait for a transfer, and use no connection meanwhile, for longer than two heartbeats.
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind, **arguments})

    def put(self, *bodies, **properties):
        """Put messages into it; each is stored when this returns."""
        for body in bodies:
            self._channel.basic_publish("", self.name, body, pika.BasicProperties(delivery_mode=2, **properties))

    def put_many(self, bodies):
        """Put many messages into it, in one transaction."""
        channel = self._connection.channel()
        channel.tx_select()
        for body in bodies:
            channel.basic_publish("", self.name, body, pika.BasicProperties(delivery_mode=2))
        channel.tx_commit()
        channel.close()

    def put_group(self, group, *bodies, last=True, first=1):
        """Put a group of messages into it, without the mark of the last one where it is not complete."""
        for number, body in enumerate(bodies, first):
            is_last = last and number == len(bodies) + first - 1
            headers = {"JMSXGroupID": group, "JMSXGroupSeq": number, "JMS_IBM_Last_Msg_In_Group": is_last}
            self.put(body, headers=headers)

    def take(self):
        """Take all messages that are there: their properties, without the headers of the broker, and bodies."""
        found = []
        while True:
            method, properties, body = self._channel.basic_get(self.name, auto_ack=True)
            if method is None:
                return found
            headers = {name: value for name, value in (properties.headers or {}).items() if not name.startswith("x-")}
            properties.headers = headers or None
            found.append((properties, body))

    def bodies(self):
        """Take all messages that are there, and return their bodies."""
        return [body for _, body in self.take()]

    def hold(self, count):
        """Take some messages without acknowledging them, which `give_back` ends."""
        return [self._channel.basic_get(self.name)[2] for _ in range(count)]

    def give_back(self):
        """Give back what is held."""
        self._channel.basic_nack(0, multiple=True, requeue=True)

    def count(self):
        """Return how many messages can be taken."""
        return self._channel.queue_declare(self.name, passive=True).method.message_count

    def delete(self):
        """Delete the queue."""
        self._channel.queue_delete(self.name)

    def close(self):
        """Close the connection."""
        if self._connection.is_open:
            self._connection.close()

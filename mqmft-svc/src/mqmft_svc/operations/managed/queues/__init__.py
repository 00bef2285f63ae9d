"""Move files into queues, and messages of queues into files (227-230).

Children alone import `putting` and `taking`, which need pika.
"""

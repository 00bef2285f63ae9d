"""The transfers of an MFT network show up in a hub that was started as users start it, also when it is killed."""

import random
import secrets

import pika
import requests

from tests.servers.hub import crossdock
from tests.servers.processes import wait_until
from tests.unit.mqmft_svc.transferlog_record import shown, traffic

QUEUE = "SYSTEM.FTE.LOG"
BAD = b"<transaction>no end"


def send(url, bodies):
    """Put messages into the queue, which is made where it is not there yet."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000})
    for body in bodies:
        channel.basic_publish("", QUEUE, body, pika.BasicProperties(delivery_mode=2))
    connection.close()


def transfers(hub, path=""):
    """Ask the API for transfers as a partner does."""
    address = f"{hub.url}/ibmmq/rest/v3/admin/mft/transfer{path}"
    answer = requests.get(address, auth=("mftadmin", "mftadmin"), timeout=10)
    answer.raise_for_status()
    return answer


def test_messages_become_transfers_of_the_api_although_the_hub_is_killed(start, tmp_path, amqp_url):
    """Items 192 and 197: each is as its agents tell it, what cannot be read is listed, and no log has the password."""
    seed = secrets.randbits(32)
    print("seed", seed)
    stories, bodies = traffic(60, random.Random(seed))
    environ = {"MQMFT_TRANSFERLOG_URL": amqp_url, "MQMFT_TRANSFERLOG_QUEUE": QUEUE}
    send(amqp_url, [*bodies[: len(bodies) // 2], BAD])
    hub = start(env=environ)
    wait_until(
        lambda: int(transfers(hub).headers["ibm-mq-rest-mft-total-transfers"]) > 5, within=60, what="some transfers"
    )
    hub.kill()
    send(amqp_url, bodies[len(bodies) // 2 :])
    hub.start()

    def wrong():
        found = [transfers(hub, f"/{id_}?attributes=*").json()["transfer"][0] for id_ in stories]
        return [one["id"] for one, story in zip(found, stories.values(), strict=True) if one != shown(*story)]

    total = "ibm-mq-rest-mft-total-transfers"
    wait_until(lambda: transfers(hub).headers[total] == str(len(stories)), within=60, every=0.1, what="all transfers")
    wait_until(lambda: wrong() == [], within=60, every=0.2, what="the right record")
    listed = crossdock("deadletter", "list", "transferlog", cwd=tmp_path, **environ)
    assert listed.returncode == 0, listed.stderr
    assert "not well-formed" in listed.stdout
    assert amqp_url not in hub.log()
    assert hub.stop() == 0

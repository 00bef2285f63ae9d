"""Keeps the record of every transfer of the hub, and shows it by the IBM MQ administrative REST API for MFT."""

SERVICE = "mqmft-svc"
PROTOCOL = "ibm-mq-mft"

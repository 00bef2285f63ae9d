"""Record every transfer of the hub, and serve the record by the IBM MQ administrative REST API for MFT."""

SERVICE = "mqmft-svc"
PROTOCOL = "ibm-mq-mft"

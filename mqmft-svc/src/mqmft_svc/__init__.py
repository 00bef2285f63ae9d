"""Record every transfer of the hub, and serve the record by the IBM MQ administrative REST API for MFT."""

__version__ = "0.1.0"

SERVICE = "mqmft-svc"
PROTOCOL = "ibm-mq-mft"

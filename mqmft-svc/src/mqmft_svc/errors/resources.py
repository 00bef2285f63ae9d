"""Errors of resources: what does not exist, cannot be reached, or does not take the request (1.H)."""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from mqmft_svc.errors.base import RestError


class NoSuchResource(RestError):
    """An unknown path, or one that this version does not serve yet (5)."""

    msg_id = "MQWB0116E"
    status = 404
    message = "There is no such resource."
    explanation = "The path of the request names nothing that this hub serves."
    action = "Check the path, and the version in it."


class MftDisabled(RestError):
    """The setting MQMFT_ENABLED is off (128)."""

    msg_id = "MQWB0400E"
    status = 503
    message = "Managed file transfer is switched off."
    explanation = "The setting MQMFT_ENABLED of this hub is off."
    action = "Ask the operator of the hub to switch it on."


class NoSuchTransfer(RestError):
    """No transfer has that id (43, 47)."""

    msg_id = "MQWB0401E"
    status = 404
    message = "No transfer has the id '{id}'."
    explanation = "The hub's record holds no transfer of that id."
    action = "Check the id, or ask for the list of transfers."


class NoSuchCall(RestError):
    """No call has that id (190)."""

    msg_id = "MQWB0401E"
    status = 404
    message = "No call has the id '{id}'."
    explanation = "The hub's record holds no call of that id."
    action = "Check the id, or ask for the list of calls."


class NoCoordinationQueueManager(RestError):
    """No coordination queue manager is named (128)."""

    msg_id = "MQWB0402E"
    status = 503
    message = "No coordination queue manager is set."
    explanation = "Without one there is no record of transfers to list."
    action = "Ask the operator of the hub to set MQMFT_COORDINATION_QMGR."


class QueueManagerAway(RestError):
    """The database that holds the record does not answer (128)."""

    msg_id = "MQWB0403E"
    status = 503
    message = "The coordination queue manager '{qmgr}' does not run."
    explanation = "The database of the record of transfers does not answer at the moment."
    action = "Try again later."


class NoSuchAgent(RestError):
    """No agent has that name (155, 181)."""

    msg_id = "MQWB0408E"
    status = 404
    message = "There is no agent '{name}'{where}."
    explanation = "The configuration of the hub declares no such agent."
    action = "Check the name, and the queue manager where one is given; the list of agents shows both."


class MethodNotAllowed(RestError):
    """A path with a method that it does not have (6)."""

    msg_id = "MQWB0974E"
    status = 405
    message = "This resource does not have the method {method}."
    explanation = "The header 'Allow' of this answer names the methods that it has."
    action = "Use one of these."


class AlreadyEnded(RestError):
    """A transfer that cannot be stopped: it has ended, or another service owns it (180)."""

    msg_id = "MQWB0976E"
    status = 400
    message = "The transfer '{id}' cannot be stopped: {reason}."
    explanation = "Only a managed transfer that has not ended can be stopped or taken back."
    action = "Look at its state; there may be nothing left to do."

"""Errors of request bodies (1.I, 1.J)."""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from mqmft_svc.errors.base import RestError


class BodyNotJson(RestError):
    """A body that is no JSON object (143)."""

    msg_id = "MQWB0970E"
    status = 400
    message = "The body is not a JSON object in UTF-8: {reason}."
    explanation = "Every body of this protocol is one JSON object, in which each name comes once."
    action = "Send a JSON object."


class BodyInvalid(RestError):
    """A member of the body that is missing, unknown or wrong (143)."""

    msg_id = "MQWB0971E"
    status = 400
    message = "The body's attribute '{name}' is not right: {reason}"
    explanation = "An attribute of the body is missing, unknown, or of the wrong type or value."
    action = "Correct the attribute, and send the request again."


class TooManySchedules(RestError):
    """A scheduled transfer beyond those that the hub keeps (174, MQMFT_MAX_SCHEDULES)."""

    msg_id = "MQWB0971E"
    status = 400
    message = "The body's attribute 'scheduleTransfer' is refused: {most} scheduled transfers wait already."
    explanation = "The hub keeps no more schedules that are not over than the setting MQMFT_MAX_SCHEDULES says."
    action = "Take back scheduled transfers that are not needed, or ask the operator of the hub for a higher limit."


class ContentTypeWrong(RestError):
    """A body of another type than JSON (143)."""

    msg_id = "MQWB0972E"
    status = 400
    message = "The header 'Content-Type' is not 'application/json'."
    explanation = "A body is taken as JSON only when its header says so."
    action = "Send the header 'Content-Type: application/json'."


class BodyTooLarge(RestError):
    """A body over the limit."""

    msg_id = "MQWB0973E"
    status = 413
    message = "The body is too large."
    explanation = "A body of this protocol may have 1 MiB at most."
    action = "Send less in one request."

"""The errors of this protocol; ids are IBM's, or ours from 0960 on, sentences are ours.

`{name}` in a sentence is filled from the keywords of the error. (ibm-mq-mft.md 1.H)
"""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from collections.abc import Mapping
from typing import ClassVar


class RestError(Exception):
    """An error answer; each subclass is one id with its status and its sentences."""

    msg_id: ClassVar[str] = "MQWB0979E"
    status: ClassVar[int] = 500
    message: ClassVar[str] = "The hub could not answer; the fault is its own."
    explanation: ClassVar[str] = "Something unexpected went wrong while request {request_id} was handled."
    action: ClassVar[str] = "Try again, and give the request id to the operator of the hub if it stays so."

    def __init__(self, *, headers: Mapping[str, str] | None = None, **words: object) -> None:
        self.headers = dict(headers or {})
        self.words = words
        super().__init__(self.text(self.message))

    def text(self, sentence: str) -> str:
        """Fill a sentence with this error's words."""
        return sentence.format(**self.words) if self.words else sentence


class CsrfHeaderMissing(RestError):
    """A write without the header against cross-site request forgery (25)."""

    msg_id = "MQWB0100E"
    status = 401
    message = "The header 'ibm-mq-rest-csrf-token' is missing."
    explanation = "A request that changes something must carry this header; its value does not matter."
    action = "Send the request again with the header 'ibm-mq-rest-csrf-token', which may be empty."

    def __init__(self, status: int) -> None:
        super().__init__()
        # The one error whose status is a setting, MQMFT_CSRF_STATUS.
        self.status = status  # type: ignore[misc]


class TopicNotAuthorized(RestError):
    """The account lacks subscribe authority (16)."""

    msg_id = "MQWB0103E"
    status = 403
    message = "The user '{user}' may not subscribe to the topic '{topic}'."
    explanation = "With the role MQWebUser this resource is shown only to those who may subscribe to its topic."
    action = "Ask for subscribe authority on the topic, or for the role MFTWebAdminRO."


class CredentialsMissing(RestError):
    """A request without credentials (11)."""

    msg_id = "MQWB0104E"
    status = 401
    message = "The request carries no credentials."
    explanation = "This resource is shown to known users only."
    action = "Send a user name and password by Basic authentication, or log in first and send the token's cookie."


class CredentialsWrong(RestError):
    """A user name and password that do not belong together (12, 142)."""

    msg_id = "MQWB0105E"
    status = 401
    message = "The user name and password are not right."
    explanation = "No user of this hub has that name and that password."
    action = "Check both, and send the request again."


class RoleMissing(RestError):
    """The account has none of the roles that the request needs (17, 18)."""

    msg_id = "MQWB0108E"
    status = 403
    message = "The user '{user}' has none of the roles that this needs: {roles}."
    explanation = "What a user may do here is decided by the roles of the account."
    action = "Ask the operator of the hub for one of these roles."


class TokenInvalid(RestError):
    """The cookie's token is unknown, altered, expired or closed (13)."""

    msg_id = "MQWB0112E"
    status = 401
    message = "The token in the cookie '{cookie}' is not valid."
    explanation = "It has expired, was closed, or was never given out by this hub."
    action = "Log in again, and send the new cookie."


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
    message = "There is no agent '{name}'."
    explanation = "The configuration of the hub declares no agent of that name."
    action = "Check the name, or ask for the list of agents."


class AttributeUnknown(RestError):
    """An unknown attribute (34)."""

    msg_id = "MQWB0960E"
    status = 400
    message = "'{name}' is no attribute of this resource."
    explanation = "Each name in 'attributes' must be an attribute or object, spelled exactly, without blanks."
    action = "Take the name out, or correct it; 'attributes=*' asks for all."


class AttributeRepeated(RestError):
    """A name that is asked for twice, or an asterisk beside other names (31, 32)."""

    msg_id = "MQWB0961E"
    status = 400
    message = "'{name}' is asked for together with itself or with an asterisk."
    explanation = "Each attribute may be named once, and an asterisk stands alone."
    action = "Name each attribute once, or send 'attributes=*' alone."


class AttributesNeedId(RestError):
    """Version 2 takes `attributes` with an id alone (36)."""

    msg_id = "MQWB0962E"
    status = 400
    message = "'attributes' may be given only together with a transfer's id."
    explanation = "In version 2 a list always holds the default attributes."
    action = "Ask for one transfer by its id, use version 3, or leave 'attributes' out."


class AttributeNotApplicable(RestError):
    """An attribute that does not apply to this transfer (35)."""

    msg_id = "MQWB0963E"
    status = 400
    message = "'{name}' cannot apply to this transfer."
    explanation = "No item of the transfer has that kind of source or destination."
    action = "Take the name out, or ask for 'transferSet.item'."


class PageWithId(RestError):
    """`limit`, `after`, `before` or a filter, which are for a list, for one element of it (42, 183)."""

    msg_id = "MQWB0964E"
    status = 400
    message = "'{name}' may be given only for the list of {resource}."
    explanation = "The path names one element of the list, so there is nothing to take a part of."
    action = "Leave the parameter out, or take the list."


class AfterWithBefore(RestError):
    """Both directions at once (41)."""

    msg_id = "MQWB0965E"
    status = 400
    message = "'after' and 'before' may not be given together."
    explanation = "A list goes in one direction from one transfer."
    action = "Send one of the two."


class LimitInvalid(RestError):
    """A limit that is no whole number of at least 1 (38)."""

    msg_id = "MQWB0966E"
    status = 400
    message = "The value of 'limit' is not a whole number of at least 1."
    explanation = "A limit is written in the digits 0 to 9 alone."
    action = "Send a limit such as 100, or leave it out."


class ParameterUnknown(RestError):
    """A query parameter that this resource does not have, one with an unknown value, or an unreadable query (48)."""

    msg_id = "MQWB0967E"
    status = 400
    message = "'{name}' is no query parameter of this resource."
    explanation = (
        "The query string must be UTF-8 with whole percent escapes, and name parameters and values that exist."
    )
    action = "Take the parameter out, or correct its spelling."


class ParameterRepeated(RestError):
    """A query parameter that is given twice (48)."""

    msg_id = "MQWB0968E"
    status = 400
    message = "The query parameter '{name}' is given more than once."
    explanation = "Each parameter may be given once."
    action = "Send it once; several attributes are joined by commas."


class ParameterEmpty(RestError):
    """A query parameter without a value (48)."""

    msg_id = "MQWB0969E"
    status = 400
    message = "The query parameter '{name}' has no value."
    explanation = "A parameter that is given needs a value."
    action = "Give it a value, or leave it out."


class BodyNotJson(RestError):
    """A body that is no JSON object (143)."""

    msg_id = "MQWB0970E"
    status = 400
    message = "The body is not a JSON object in UTF-8."
    explanation = "Every body of this protocol is one JSON object, in which each name comes once."
    action = "Send a JSON object."


class BodyInvalid(RestError):
    """A member of the body that is missing, unknown or wrong (143)."""

    msg_id = "MQWB0971E"
    status = 400
    message = "The body's attribute '{name}' is not right: {reason}"
    explanation = "An attribute of the body is missing, unknown, or of the wrong type or value."
    action = "Correct the attribute, and send the request again."


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


class MethodNotAllowed(RestError):
    """A path with a method that it does not have (6)."""

    msg_id = "MQWB0974E"
    status = 405
    message = "This resource does not have the method {method}."
    explanation = "The header 'Allow' of this answer names the methods that it has."
    action = "Use one of these."


class AgentNameInvalid(RestError):
    """A text that can be no agent's name (181)."""

    msg_id = "MQWB0975E"
    status = 400
    message = "'{name}' is no agent's name."
    explanation = "A name has 1 to 28 of the characters A-Z, 0-9, dot, underscore and slash, in either case."
    action = "Correct the name; in a filter an asterisk stands for any characters."


class AlreadyEnded(RestError):
    """A transfer that cannot be stopped: it has ended, or another service owns it (180)."""

    msg_id = "MQWB0976E"
    status = 400
    message = "The transfer '{id}' cannot be stopped: {reason}."
    explanation = "Only a managed transfer that has not ended can be stopped or taken back."
    action = "Look at its state; there may be nothing left to do."


class LoginThrottled(RestError):
    """Too many wrong passwords from this address (23)."""

    msg_id = "MQWB0978E"
    status = 429
    message = "Too many wrong passwords came from this address."
    explanation = "The credentials were not looked at, to hold back guessing."
    action = "Wait for as many seconds as the header 'Retry-After' says, then send the right ones."


class Internal(RestError):
    """A fault of ours, named by its request id (125)."""

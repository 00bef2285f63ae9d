"""Errors of credentials, rights and logins (1.B, 1.C, 1.I)."""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from mqmft_svc.errors.base import RestError


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


class AgentNotAuthorized(RestError):
    """The list `allow` of an agent does not hold the account (180, 186, 189)."""

    msg_id = "MQWB0103E"
    status = 403
    message = "The agent '{agent}' does not take requests of the user '{user}'."
    explanation = "The configuration of the hub lists the users whose requests this agent takes."
    action = "Ask the operator of the hub to add the user to the list 'allow' of the agent."


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


class LoginThrottled(RestError):
    """Too many wrong passwords from this address (23)."""

    msg_id = "MQWB0978E"
    status = 429
    message = "Too many wrong passwords came from this address."
    explanation = "The credentials were not looked at, to hold back guessing."
    action = "Wait for as many seconds as the header 'Retry-After' says, then send the right ones."

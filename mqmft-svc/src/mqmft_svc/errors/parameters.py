"""Errors of query parameters and names (1.D)."""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from mqmft_svc.errors.base import RestError


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
    message = "'{name}' is asked for more than once, or is an asterisk beside other names."
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
    message = "{reason}."
    explanation = (
        "The query string must be UTF-8 with whole percent escapes, and name parameters and values that exist."
    )
    action = "Correct the parameter or its value, or take it out."


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


class AgentNameInvalid(RestError):
    """A text that can be no agent's name (181)."""

    msg_id = "MQWB0975E"
    status = 400
    message = "'{name}' is no agent's name."
    explanation = "A name has 1 to 28 of the characters A-Z, 0-9, dot, underscore and slash, in either case."
    action = "Correct the name; in a filter an asterisk stands for any characters."

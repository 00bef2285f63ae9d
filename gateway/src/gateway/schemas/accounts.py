"""Load the section `accounts` of the configuration, and the parts of other sections that the gateway acts on."""

import ipaddress
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from gateway.domain import (
    GRANT_KEYS,
    LONGEST_NAME,
    LONGEST_TEXT,
    RESERVED,
    AccountSpec,
    Prompt,
    PromptRules,
    Trust,
    normal_form,
    prompt_name,
    storable,
)
from mft_common.config import Reader, Sections, Size, problems_of

# The sections that the gateway reads: accounts, and a few keys of each service's own.
SECTIONS: Final[Sections] = {"accounts": dict, **dict.fromkeys(GRANT_KEYS.values(), dict)}
_PROMPTED: Final = GRANT_KEYS["sertainty-svc"]
_BY_PASSWORD: Final = tuple(key for key in GRANT_KEYS.values() if key != _PROMPTED)
_MQ_ROLES: Final = ("MFTWebAdmin", "MFTWebAdminRO", "MQWebUser", "MQWebAdmin", "MQWebAdminRO")


def _texts(**options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.Length(min=1, max=LONGEST_TEXT)), **options)


def _network(text: str | None) -> None:
    try:
        ipaddress.ip_network(text or "")
    except ValueError as error:
        raise ValidationError(str(error)) from error


class HttpMftGrant(Schema):
    """Rights of an account by HTTP MFT; without a contract it may only log in."""

    contract = fields.String(allow_none=True, validate=validate.Length(min=1, max=LONGEST_TEXT))
    quota = Size(allow_none=True)


class DiplomatGrant(Schema):
    """Rights of an account by Diplomat (diplomat.md A22)."""

    role = fields.String(required=True, validate=validate.OneOf(("Administrator", "Viewer")))
    transactions = _texts()


class IbmMqMftGrant(Schema):
    """Rights of an account by the IBM MQ REST API (ibm-mq-mft.md 1.B)."""

    roles = fields.List(fields.String(validate=validate.OneOf(_MQ_ROLES)), required=True)
    topics = _texts()


class PromptSchema(Schema):
    """A question and the reference to its answer."""

    text = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST_TEXT))
    answer = fields.Raw(required=True)


class DataProtectorGrant(Schema):
    """Rights of an account by Data Protector, and how it authenticates (sertainty.md 23-29)."""

    role = fields.String(load_default="full", validate=validate.OneOf(("full", "read")))
    trusted = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    trusted_from = fields.List(fields.String(validate=_network), load_default=list)
    prompts = fields.List(fields.Nested(PromptSchema), load_default=list)


class GrantsSchema(Schema):
    """The grants of an account, one for each protocol it may use."""

    http_mft = fields.Nested(HttpMftGrant)
    diplomat = fields.Nested(DiplomatGrant)
    ibm_mq_mft = fields.Nested(IbmMqMftGrant)
    data_protector = fields.Nested(DataProtectorGrant)


class AccountSchema(Schema):
    """One account."""

    password = fields.Raw()
    contact = fields.String(validate=validate.Length(max=LONGEST_TEXT))
    enabled = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    expired = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    grants = fields.Nested(GrantsSchema, load_default=dict)


class PromptRulesSchema(Schema):
    """The part of the section `data_protector` that the gateway acts on."""

    class Meta:
        """The rest of the section belongs to the service."""

        unknown = EXCLUDE

    unknown_users = fields.String(validate=validate.OneOf(("challenge", "deny")))
    failures = fields.Integer(strict=True, validate=validate.Range(min=1, max=1_000_000))


# Thousands of accounts are read with it: a schema for each would take half of the time.
_ACCOUNT: Final = AccountSchema()


def read_accounts(section: Any, reader: Reader, trust: Trust = "networks") -> tuple[AccountSpec, ...]:
    """Return the accounts of a section; every problem is added to `reader.problems`, named by its path.

    `trust` says whether a trusted account has to name networks.
    """
    if section is None:
        return ()
    if not isinstance(section, Mapping):
        reader.problems.append("accounts: is no mapping of names to accounts")
        return ()
    return tuple(_Account(name, raw, reader, trust).spec() for name, raw in section.items())


def read_prompt_rules(section: Any, reader: Reader) -> PromptRules:
    """Return the rules for prompts in `data_protector`; problems are added to `reader.problems`."""
    try:
        return PromptRules(**PromptRulesSchema().load(section or {}))
    except ValidationError as error:
        reader.problems.extend(problems_of(error, _PROMPTED))
        return PromptRules()


def read_basic(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the services whose section says `basic_auth: true`.

    Which sections may say so, and that it is a boolean, is checked by the services.
    """
    sections = {service: document.get(key) for service, key in GRANT_KEYS.items()}
    return frozenset(
        service
        for service, section in sections.items()
        if isinstance(section, Mapping) and section.get("basic_auth") is True
    )


def read_origins(document: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    """Return the origins that the sections list, by service, in lower case as browsers send them.

    Which sections may list some, and that they are origins, is checked by the services.
    """
    sections = {service: document.get(key) for service, key in GRANT_KEYS.items()}
    listed = {service: section.get("origins") for service, section in sections.items() if isinstance(section, Mapping)}
    return {
        service: frozenset(str(origin).rstrip("/").lower() for origin in origins)
        for service, origins in listed.items()
        if isinstance(origins, list) and origins
    }


class _Account:
    """Loads one account of the configuration; it goes on after a problem, to find the others."""

    def __init__(self, name: Any, raw: Any, reader: Reader, trust: Trust) -> None:
        self._name = str(name)
        self._path = f"accounts.{name}"
        self._reader = reader
        self._trust = trust
        self._check_name(name)
        try:
            self._loaded: Any = _ACCOUNT.load({} if raw is None else raw)
        except ValidationError as error:
            reader.problems.extend(problems_of(error, self._path))
            self._loaded = error.valid_data if isinstance(error.valid_data, dict) else {}

    def spec(self) -> AccountSpec:
        """Return the account; it must not be used when there were problems."""
        grants = dict(self._loaded.get("grants") or {})
        password = self._password(grants)
        protector = dict(grants.pop(_PROMPTED, None) or {})
        prompts = self._prompts(protector.pop("prompts", []), f"{self._path}.grants.{_PROMPTED}")
        if protector:
            self._check_trust(protector)
            grants[_PROMPTED] = protector
        return AccountSpec(
            name=self._name,
            password=password,
            contact=storable(self._loaded.get("contact", self._name)),
            enabled=self._loaded.get("enabled", True),
            expired=self._loaded.get("expired", False),
            grants=grants,
            prompts=prompts,
        )

    def _problem(self, path: str, text: str) -> None:
        self._reader.problems.append(f"{path}: {text}")

    def _check_name(self, name: Any) -> None:
        if not isinstance(name, str):
            self._problem(self._path, "an account's name is a text; put it in quotes")
        elif name in RESERVED:
            self._problem(self._path, "the hub itself acts under this name")
        elif not name or len(name) > LONGEST_NAME or name != name.strip() or name != storable(name):
            self._problem(self._path, f"a name has 1 to {LONGEST_NAME} characters and no blanks around it")
        elif ":" in name or any(unicodedata.category(character) == "Cc" for character in name):
            self._problem(self._path, "a name has no colon and no control characters")

    def _password(self, grants: Mapping[str, Any]) -> str | None:
        path = f"{self._path}.password"
        if "password" not in self._loaded:
            for key in _BY_PASSWORD:
                if key in grants:
                    self._problem(path, f"the grant {key} needs one")
            return None
        return self._secret(self._loaded["password"], path)

    def _secret(self, value: Any, path: str) -> str:
        before = len(self._reader.problems)
        secret = self._reader.secret(value, path)
        if len(self._reader.problems) == before and not 0 < len(secret.encode("utf-8", "replace")) <= LONGEST_TEXT:
            self._problem(path, f"a secret has 1 to {LONGEST_TEXT} bytes")
        return secret

    def _prompts(self, loaded: Any, path: str) -> tuple[Prompt, ...]:
        prompts: list[Prompt] = []
        taken = {prompt_name(position) for position in range(len(loaded))}
        for position, prompt in enumerate(loaded):
            at = f"{path}.prompts.{position}"
            if "answer" not in prompt or "text" not in prompt:
                continue
            answer = normal_form(self._secret(prompt["answer"], f"{at}.answer"))
            if normal_form(prompt["text"]) in taken:
                self._problem(f"{at}.text", "two prompts of an account cannot be told apart by their texts")
            taken.add(normal_form(prompt["text"]))
            prompts.append(Prompt(text=prompt["text"], answer=answer))
        return tuple(prompts)

    def _check_trust(self, protector: Mapping[str, Any]) -> None:
        if self._trust == "networks" and protector.get("trusted") and not protector.get("trusted_from"):
            path = f"{self._path}.grants.{_PROMPTED}.trusted_from"
            self._problem(path, "a trusted account names its networks, unless the hub listens on loopback alone")

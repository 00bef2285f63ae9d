"""Types and rules of accounts, session limits, the login throttle and prompts, without a database."""

import hashlib
import hmac
import ipaddress
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mft_common import addresses
from mft_common.identity import SYSTEM

# Names that the hub itself acts under, as an agent or as the originator of scheduled work.
RESERVED: Final = frozenset((SYSTEM, "CLIENT", "FILESTORE", "DIPLOMAT", "DATAPROTECTOR"))
# The key of each service's grants in an account, and of its section in crossdock.yaml.
GRANT_KEYS: Final[Mapping[str, str]] = {
    "filestore-svc": "http_mft",
    "diplomat-svc": "diplomat",
    "mqmft-svc": "ibm_mq_mft",
    "sertainty-svc": "data_protector",
}
LONGEST_NAME: Final = 255
LONGEST_TEXT: Final = 1024
# Composition makes four characters one at the most, and takes the square of the time of a run of combining characters.
_LONGEST_TO_COMPOSE: Final = 4 * LONGEST_TEXT
NEVER: Final = 1 << 62

# From where an account that is `trusted` needs no prompts: from the networks it names; also from this machine; or from
# any address, because only this machine reaches the hub.
Trust = Literal["networks", "loopback", "any"]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A question of an account with its right answer in clear text, to be hashed."""

    text: str
    answer: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class AccountSpec:
    """An account as the configuration wants it. `grants` goes by section name and holds no prompts."""

    name: str
    password: str | None = field(default=None, repr=False)
    contact: str = ""
    enabled: bool = True
    expired: bool = False
    grants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prompts: tuple[Prompt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PromptRules:
    """How unknown users and wrong answers are treated (sertainty.md 26, 27)."""

    unknown_users: Literal["challenge", "deny"] = "challenge"
    failures: int = 3


def usable_name(name: str) -> bool:
    """True for a name that an account can have: a longer one, or one that no database stores, belongs to none."""
    return 0 < len(name) <= LONGEST_NAME and name == storable(name)


def storable(text: str) -> str:
    """Return `text` without what no database takes: NUL and halves of surrogate pairs; cut to 1,024 characters."""
    return text[:LONGEST_TEXT].replace("\0", "").encode("utf-8", "replace").decode()


def plain_address(text: str) -> str:
    """Return an address in its normal form; a text that is no address is returned without unstorable characters."""
    address = addresses.parse(text)
    return storable(text) if address is None else str(address)


def trusted_from(grant: Mapping[str, Any], address: str, trust: Trust) -> bool:
    """True when the account of this grant needs no prompts at `address` (sertainty.md 23)."""
    if not grant.get("trusted"):
        return False
    if trust == "any":
        return address != addresses.UNKNOWN
    if trust == "loopback" and addresses.is_loopback(address):
        return True
    return addresses.is_within(address, [ipaddress.ip_network(network) for network in grant.get("trusted_from", ())])


@dataclass(frozen=True)
class Times:
    """The limits of a session in milliseconds, None for none.

    A use is written only when the last written one is older than `grain`, a sixtieth of the idle limit. The grain is
    added to the limit for the uses that were not written: a session may live that much longer, never shorter.
    """

    idle: int | None
    absolute_at: int | None

    @property
    def grain(self) -> int:
        """How many milliseconds after the last written use the next one is written."""
        return self.idle // 60 if self.idle is not None else NEVER

    def expires_at(self, used_at: int) -> int:
        """Return when a session ends that was last used at `used_at`."""
        by_idle = NEVER if self.idle is None else used_at + self.idle + self.grain
        return min(by_idle, NEVER if self.absolute_at is None else self.absolute_at)

    def stale(self, seen_at: int, now: int) -> bool:
        """True when a use at `now` has to be written."""
        return self.idle is not None and now - seen_at >= self.grain


@dataclass(frozen=True)
class Bucket:
    """A bucket of failed logins: `truths` are answered truthfully at once, then one more every `refill` milliseconds.

    A count is stored as the time at which it will be zero again, so that it sinks without being written.
    """

    truths: int = 20
    refill: int = 15_000

    @property
    def most(self) -> int:
        """The longest time to zero, in milliseconds, at which one more failure is answered truthfully."""
        return (self.truths - 1) * self.refill

    def wait(self, clear_at: int, now: int) -> int:
        """Return the whole seconds until the next failure is answered truthfully, 0 when it is now."""
        over = clear_at - now - self.most
        return 0 if over <= 0 else -(-over // 1000)


def throttle_keys(name: str, address: str) -> tuple[str, str]:
    """Return the keys of the two counts: the client's, and the account's from that client.

    A client is an IPv4 address or the /64 of an IPv6 address.

    They are hashes, because people type passwords into the field of the name, and no password may be stored.
    """
    address = storable(addresses.client_network(address))
    both = hashlib.sha256(f"{address} {name}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"a:{hashlib.sha256(address.encode()).hexdigest()}", f"n:{both}"


def normal_form(answer: str) -> str:
    """Return the form in which answers are compared: NFKC, trimmed, inner blanks single, case folded.

    A text that is longer than any answer stays one: it is compared as it is.
    """
    text = " ".join(answer.split())
    if len(text) > _LONGEST_TO_COMPOSE:
        return text
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def prompt_name(position: int) -> str:
    """Return the name under which the prompt at `position`, counted from 0, is sent."""
    return f"prompt-{position + 1}"


def sort_answers(prompts: Sequence[str], answers: Sequence[tuple[str | None, str]]) -> list[str] | None:
    """Return one answer for each prompt, or None when one is missing, is given twice or belongs to no prompt.

    An answer is named `prompt-1`..., or with the prompt's text, or has no name and goes by its position. (24)
    """
    places = {normal_form(text): position for position, text in enumerate(prompts)}
    places.update({prompt_name(position): position for position in range(len(prompts))})
    found: dict[int, str] = {}
    for position, (name, answer) in enumerate(answers):
        place = places.get(normal_form(name)) if name else position
        if place is None or place >= len(prompts) or place in found:
            return None
        found[place] = answer
    return [found[place] for place in range(len(prompts))] if len(found) == len(prompts) else None


# Questions for unknown users, of the kind that an operator would write.
_QUESTIONS: Final = (
    "Port of registry?",
    "Berth number?",
    "Name of your first ship?",
    "Customs office of departure?",
    "Last four digits of the contract number?",
    "Name of the forwarding agent?",
    "Warehouse letter?",
    "Month of the first shipment?",
    "City of the head office?",
    "Colour of the seal?",
    "Dispatch code?",
    "Name of your supervisor?",
    "Gate number?",
    "Year the contract was signed?",
    "Street of the depot?",
    "Middle name?",
)


def fake_prompts(name: str, key: bytes) -> tuple[str, ...]:
    """Return one to three questions that depend on `name` and the hub's secret `key` alone (27)."""
    digest = hmac.digest(key, name.encode("utf-8", "surrogatepass"), "sha256")
    left = list(_QUESTIONS)
    return tuple(left.pop(digest[1 + place] % len(left)) for place in range(1 + digest[0] % 3))

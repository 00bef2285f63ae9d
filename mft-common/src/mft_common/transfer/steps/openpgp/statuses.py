"""Judge what gpg did by the lines of its --status-fd; its exit code alone says too little."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from mft_common.transfer.steps.openpgp.errors import MessageRefused, OpenPgpError, WrongPassphrase
from mft_common.transfer.steps.openpgp.listing import KeyListing

_PREFIX: Final = "[GNUPG:] "
# gpg-error.h: GPG_ERR_BAD_PASSPHRASE, in the lower 16 bits of an error's number.
_BAD_PASSPHRASE: Final = 11
# doc/DETAILS: the lines that speak of a signature and are neither GOODSIG nor VALIDSIG.
_BAD_SIGNATURES: Final = frozenset(
    {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NO_PUBKEY", "SIGEXPIRED", "KEYREVOKED", "UNEXPECTED"}
)
_FAILED: Final = frozenset({"FAILURE", "ERROR", "NODATA", "DECRYPTION_FAILED", "BADMDC", "BADARMOR"})
# BEGIN_ENCRYPTION: protection by a modification detection code (packet 18), AES-256.
AES256_PACKET_18: Final = ["2", "9"]


@dataclass(frozen=True)
class Status:
    """One line: its keyword and its arguments."""

    keyword: str
    arguments: list[str]


def parse(line: str) -> Status | None:
    """Return a line of the status descriptor, None where it is none."""
    if not line.startswith(_PREFIX):
        return None
    keyword, *arguments = line.removeprefix(_PREFIX).split(" ")
    return Status(keyword, arguments)


def check_made(code: int, found: Sequence[Status], *, encrypt: bool, sign: bool) -> None:
    """Raise unless gpg encrypted for all, and signed, as was asked."""
    _check_passphrase(found)
    keywords = {status.keyword for status in found}
    needed = {"BEGIN_ENCRYPTION", "END_ENCRYPTION"} if encrypt else set()
    if sign:
        needed.add("SIG_CREATED")
    if code or keywords & (_FAILED | {"INV_RECP", "INV_SGNR", "NO_RECP", "NO_SGNR"}) or not needed <= keywords:
        raise OpenPgpError(f"gpg could not make the message ({_reasons(code, found)})")


def check_protection(found: Sequence[Status]) -> None:
    """Raise unless the message that gpg has begun is AES-256 in packet 18, whatever the keys prefer."""
    begun = [status.arguments[:2] for status in found if status.keyword == "BEGIN_ENCRYPTION"]
    if begun != [AES256_PACKET_18]:
        raise OpenPgpError(
            "gpg chose another protection than AES-256 in packet 18: a recipient's key asks for OCB (packet 20); "
            "its owner removes that with `setpref`, and sends the public key again"
        )


def check_decrypted(code: int, found: Sequence[Status], packet: int | None) -> None:
    """Raise unless exactly one message was decrypted and its integrity is known.

    gpg answers GOODMDC for packet 18 and, for compatibility, for the authenticated packet 20 too.
    """
    keywords = [status.keyword for status in found]
    _check_passphrase(found)
    if keywords.count("DECRYPTION_OKAY") == 1 and keywords.count("GOODMDC") == 1 and not code:
        if keywords.count("PLAINTEXT") == 1 and not _FAILED & set(keywords):
            return
        raise MessageRefused(f"the message does not hold exactly one file ({_reasons(code, found)})")
    if "NO_SECKEY" in keywords and "DECRYPTION_INFO" not in keywords:
        raise MessageRefused("the message is not encrypted for our key")
    if packet == 20 and "BADMDC" not in keywords and "DECRYPTION_INFO" not in keywords:
        raise MessageRefused(
            "the message is encrypted with OCB in packet 20, which this gpg cannot read: give the sender a public key "
            "without that preference (`setpref`), or let them encrypt with --rfc4880"
        )
    raise MessageRefused(f"the message is not encrypted, damaged or cut ({_reasons(code, found)})")


def check_key(found: Sequence[Status], ours: KeyListing) -> None:
    """Raise unless the message was for our key.

    gpg takes any secret key of the home, and the passphrase itself where a message is encrypted by one.
    """
    used = {status.arguments[1] for status in found if status.keyword == "DECRYPTION_KEY"}
    named = {status.arguments[0] for status in found if status.keyword == "ENC_TO"}
    if ours.fingerprint in used:
        return
    if not any(part.fingerprint.endswith(tuple(named)) for part in (ours.primary, *ours.subkeys)):
        raise MessageRefused("the message is not encrypted for our key")


def check_signed(
    code: int, found: Sequence[Status], allowed: Collection[str], *, encrypted: bool, expired: Collection[str] = ()
) -> set[str]:
    """Return the keys that signed (primary fingerprints); raise unless all are of `allowed`, and there is one.

    Every signature must be good; of the keys `expired` it may be one of an expired key (EXPKEYSIG).
    """
    keywords = [status.keyword for status in found]
    valid = [status.arguments for status in found if status.keyword == "VALIDSIG"]
    signers = {arguments[-1] for arguments in valid}
    late = keywords.count("EXPKEYSIG") if signers & set(expired) else 0
    if late > sum(arguments[-1] in expired for arguments in valid):
        late = 0
    bad = _BAD_SIGNATURES - {"EXPKEYSIG"} if late else _BAD_SIGNATURES
    if told := sorted(bad & set(keywords)):
        raise MessageRefused(f"the signature is not acceptable ({', '.join(told)})")
    good = keywords.count("GOODSIG") + late
    if code or not valid or good != len(valid) or keywords.count("NEWSIG") != len(valid):
        raise MessageRefused(f"the message is not signed, damaged or cut ({_reasons(code, found)})")
    if keywords.count("PLAINTEXT") != 1 or _FAILED & set(keywords):
        raise MessageRefused(f"the message does not hold exactly one file ({_reasons(code, found)})")
    # The last argument is the primary key's fingerprint, the first that of the part which signed.
    if not signers <= set(allowed):
        raise MessageRefused("the message is signed by a key that is not allowed")
    if encrypted and not _inside(keywords):
        raise MessageRefused("the signature is not inside the encryption")
    return signers


def _inside(keywords: Sequence[str]) -> bool:
    """Return whether every signature was found between the beginning and the end of the decryption."""
    try:
        begin, end = keywords.index("BEGIN_DECRYPTION"), keywords.index("DECRYPTION_OKAY")
    except ValueError:
        return False
    return all(
        begin < place < end for place, keyword in enumerate(keywords) if keyword in ("GOODSIG", "EXPKEYSIG", "VALIDSIG")
    )


def _check_passphrase(found: Sequence[Status]) -> None:
    done = any(status.keyword in ("DECRYPTION_OKAY", "SIG_CREATED") for status in found)
    for status in found:
        last = status.arguments[-1] if status.arguments else ""
        if status.keyword in ("ERROR", "FAILURE") and last.isdigit() and int(last) & 0xFFFF == _BAD_PASSPHRASE:
            if not done:
                raise WrongPassphrase("the passphrase does not open the secret key")
            return


def _reasons(code: int, found: Sequence[Status]) -> str:
    """Return the keywords that tell what went wrong, for the log of an operator; no argument, which names people."""
    told = _FAILED | _BAD_SIGNATURES | {"INV_RECP", "INV_SGNR", "NO_SECKEY", "MISSING_PASSPHRASE", "BAD_PASSPHRASE"}
    words = list(dict.fromkeys(status.keyword for status in found if status.keyword in told))
    return ", ".join([f"exit code {code}", *words])

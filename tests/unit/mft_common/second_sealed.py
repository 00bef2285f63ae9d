"""A second reader and writer of protected files, written from docs/sealed-format.md and RFC 9180 alone.

It shares no code with the first one, holds whole files in memory, and finds the last chunk by the end of the file.
"""

import hashlib
import hmac
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = bytes.fromhex("8958534541 4C0D0A")
FULL = 65_536


class Refused(Exception):  # noqa: N818 -- a condition
    """The file is refused."""


def _extract(salt, ikm):
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def _expand(prk, info, length):
    out, block = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([number]), "sha256")
        out += block
    return out[:length]


def _labeled(suite_id):
    def extract(salt, label, ikm):
        return _extract(salt, b"HPKE-v1" + suite_id + label + ikm)

    def expand(prk, label, info, length):
        return _expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info, length)

    return extract, expand


def _key_schedule(suite, secret, info):
    """Return key and nonce of the first message (RFC 9180, 5.1, mode base)."""
    kem = {1: 0x0020, 2: 0x647A}[suite]
    extract, expand = _labeled(b"HPKE" + b"".join(part.to_bytes(2, "big") for part in (kem, 1, 2)))
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    made = extract(secret, b"secret", b"")
    return expand(made, b"key", context, 32), expand(made, b"base_nonce", context, 12)


def _x25519_secret(shared, enc, public):
    """Return the shared secret of DHKEM(X25519, HKDF-SHA256) (RFC 9180, 4.1)."""
    extract, expand = _labeled(b"KEM" + (0x0020).to_bytes(2, "big"))
    return expand(extract(b"", b"eae_prk", shared), b"shared_secret", enc + public, 32)


def _xwing_secret(of_mlkem, of_x25519, enc, public):
    return hashlib.sha3_256(of_mlkem + of_x25519 + enc + public + bytes.fromhex("5C2E2F2F5E5C")).digest()


def _xwing_keys(private):
    seed = hashlib.shake_256(private).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(seed[:64]), X25519PrivateKey.from_private_bytes(seed[64:])


def _decapsulate(suite, private, enc):
    if suite == 1:
        key = X25519PrivateKey.from_private_bytes(private)
        shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
        return _x25519_secret(shared, enc, key.public_key().public_bytes_raw())
    mlkem, x25519 = _xwing_keys(private)
    shared = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    public = x25519.public_key().public_bytes_raw()
    return _xwing_secret(mlkem.decapsulate(enc[:1088]), shared, enc[1088:], public)


def public_of(suite, private):
    """Return the public key of a private one."""
    if suite == 1:
        return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return b"".join(key.public_key().public_bytes_raw() for key in _xwing_keys(private))


def _encapsulate(suite, public, ephemeral):
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    ours, theirs = key.public_key().public_bytes_raw(), public[-32:]
    shared = key.exchange(X25519PublicKey.from_public_bytes(theirs))
    if suite == 1:
        return _x25519_secret(shared, ours, theirs), ours
    of_mlkem, ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    return _xwing_secret(of_mlkem, shared, ours, theirs), ciphertext + ours


def metadata(name, content, /, **changed):
    """Return metadata in clear, `changed` from what they should be."""
    value = {"name": name, "size": len(content), "mtime_ns": 1, "protected": "2026-01-31T12:00:00.000Z"}
    return json.dumps({**value, **changed}).encode()


def chunks_of(content):
    """Return the content in the chunks that it must have."""
    return [content[at : at + FULL] for at in range(0, len(content), FULL)] or [b""]


def write(public, clear, chunks, *, suite=1, key, prefix, ephemeral, uid=bytes(range(16, 32)), lasts=None, fixed=None):
    """Return a protected file; `lasts` and `fixed` replace the flags of the chunks and the first 40 bytes."""
    length = {1: 120, 2: 1208}[suite]
    first = MAGIC + bytes([1, suite]) + length.to_bytes(2, "big") + len(clear).to_bytes(4, "big") + uid + prefix + b"\0"
    first = fixed or first
    secret, enc = _encapsulate(suite, public, ephemeral)
    wrapping, nonce = _key_schedule(suite, secret, b"crossdock sealed file v1" + hashlib.sha256(first).digest())
    header = first + enc + AESGCM(wrapping).encrypt(nonce, key, b"")
    bound, cipher = hashlib.sha256(header).digest(), AESGCM(key)
    out = [header, cipher.encrypt(prefix + bytes(5), clear, bound)]
    lasts = lasts or [0] * (len(chunks) - 1) + [1]
    for number, (chunk, last) in enumerate(zip(chunks, lasts, strict=True), 1):
        out.append(cipher.encrypt(prefix + number.to_bytes(4, "big") + bytes([last]), chunk, bound))
    return b"".join(out)


def read(private, data):
    """Return metadata and content of a protected file; Refused."""
    try:
        return _read(private, data)
    except (InvalidTag, ValueError, KeyError, IndexError) as error:
        raise Refused(str(error)) from error


def _read(private, data):
    suite, length = data[9], int.from_bytes(data[10:12], "big")
    size_of_metadata = int.from_bytes(data[12:16], "big")
    wanted = (
        data[:9] == MAGIC + b"\1",
        length == {1: 120, 2: 1208}[suite],
        1 <= size_of_metadata <= 65_536,
        data[39] == 0,
    )
    if not all(wanted):
        raise Refused("the header")
    enc, wrapped = data[40 : length - 48], data[length - 48 : length]
    info = b"crossdock sealed file v1" + hashlib.sha256(data[:40]).digest()
    wrapping, nonce = _key_schedule(suite, _decapsulate(suite, private, enc), info)
    cipher, bound, prefix = (
        AESGCM(AESGCM(wrapping).decrypt(nonce, wrapped, b"")),
        hashlib.sha256(data[:length]).digest(),
        data[32:39],
    )
    start = length + size_of_metadata + 16
    found = json.loads(cipher.decrypt(prefix + bytes(5), data[length:start], bound))
    content, number = b"", 0
    while start < len(data) or not number:
        number += 1
        chunk = data[start : start + FULL + 16]
        start += len(chunk)
        last = start == len(data)
        clear = cipher.decrypt(prefix + number.to_bytes(4, "big") + bytes([last]), chunk, bound)
        if not clear and number > 1:
            raise Refused("an empty last chunk after a full one")
        content += clear
    if len(content) != found["size"]:
        raise Refused("the size")
    return found, content

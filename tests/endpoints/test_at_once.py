"""As many threads as an endpoint's record says use it at the same time."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

TOKEN = "0000000000000042"
SIZE = 3 << 18
FILES = 24


def test_threads_that_share_an_endpoint_get_their_own_files(far):
    """Each thread writes files and reads them back, and every file has its own content."""
    with far.open() as endpoint:

        def there_and_back(number):
            content = bytes([number]) * SIZE
            writer = endpoint.writer(f"f{number}", token=TOKEN, size=SIZE)
            writer.begin()
            writer.feed(content)
            while not writer.seal(SIZE, hashlib.sha256(content).hexdigest(), "sha256"):
                pass
            writer.commit()
            reader = endpoint.open(endpoint.stat(f"f{number}"))
            found = b"".join(iter(reader.read, b""))
            reader.close()
            return found == content

        with ThreadPoolExecutor(min(endpoint.features.at_once, 8)) as threads:
            assert all(threads.map(there_and_back, range(FILES)))
    assert far.names_outside() == sorted(f"f{number}" for number in range(FILES))

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "sertainty_svc"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.xml")), ids=lambda path: path.stem)
def test_golden_exchanges_are_answered_as_written(hub, path):
    """Each request of a golden file gets the response beside it, element by element and in order."""
    exchange = ET.parse(path).getroot()
    request, expected = (ET.tostring(exchange.find(name)).strip() for name in ("Request", "Response"))
    answer = hub.send(request)
    assert ET.canonicalize(answer.data.decode()) == ET.canonicalize(expected.decode())

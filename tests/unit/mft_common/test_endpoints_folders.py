"""The folders that a `file:` URL may reach."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.endpoints.errors import BadName, Denied, NotFound, NotRegular, TransferError
from mft_common.endpoints.folders import LocalFolders, check_allowed
from mft_common.endpoints.targets import parse_url


@pytest.fixture
def places(tmp_path):
    """A data folder with state, an allowed folder, and one that is neither."""
    (tmp_path / "data" / "state" / "gateway").mkdir(parents=True)
    (tmp_path / "data" / "in").mkdir()
    (tmp_path / "srv").mkdir()
    (tmp_path / "secret").mkdir()
    return LocalFolders(tmp_path / "data", (tmp_path / "srv",))


def _opened(place, **options):
    folder = place.open(**options)
    try:
        return os.path.realpath(f"/proc/self/fd/{folder.descriptor}")
    finally:
        folder.close()


def test_a_relative_url_lies_below_the_data_folder(places):
    """`file:in` is DATA/in, escapes decoded."""
    assert _opened(places.resolve(parse_url("file:in"))) == str(places.data / "in")
    assert _opened(places.resolve(parse_url("file:%69n/"))) == str(places.data / "in")


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
def test_an_absolute_url_lies_below_an_allowed_folder(places, form):
    """An absolute URL is taken when its folder is the data folder's or allowed, and refused elsewhere."""
    assert _opened(places.resolve(parse_url(form.format(places.allowed[0])))) == str(places.allowed[0])
    with pytest.raises(Denied):
        places.resolve(parse_url(form.format(places.data.parent / "secret")))


@pytest.mark.parametrize("url", ["file:../secret", "file:in/../../secret", "file:%2e%2e/secret", "file://host/x", "in"])
def test_what_is_no_folder_of_ours_is_refused(places, url):
    """Steps upwards, hosts and other schemes are no places."""
    with pytest.raises(BadName):
        places.resolve(parse_url(url))


@pytest.mark.parametrize("url", ["file:state", "file:state/gateway", "file:./state"])
def test_the_hubs_own_state_is_no_place(places, url):
    """No endpoint leads to DATA/state or below."""
    with pytest.raises(TransferError):
        places.resolve(parse_url(url))


def test_state_is_refused_however_it_is_reached(places):
    """An allowed folder that is a link to the state is refused when it is opened, and when it is resolved."""
    (places.data.parent / "alias").symlink_to(places.data / "state")
    sly = LocalFolders(places.data, (places.data.parent / "alias",))
    with pytest.raises(Denied):
        sly.resolve(parse_url(f"file:{places.data.parent / 'alias'}"))
    assert check_allowed([places.data / "state" / "x"], places.data)


def test_links_below_the_root_are_not_followed(places):
    """A link in the way is refused, wherever it points."""
    (places.data / "in" / "out").symlink_to(places.data.parent / "secret")
    with pytest.raises(NotRegular):
        _opened(places.resolve(parse_url("file:in/out")))


def test_a_file_among_the_folders_of_a_path_is_no_link(places):
    """What says that a link leads elsewhere is not said of a file that is in the way."""
    (places.data / "one").write_bytes(b"")
    with pytest.raises(Denied) as raised:
        places.resolve(parse_url("file:one/below")).open()
    assert type(raised.value) is Denied


def test_a_missing_folder_is_made_only_where_asked(places):
    """A destination's folders are made, a source's are not."""
    place = places.resolve(parse_url("file:new/folder"))
    with pytest.raises(NotFound):
        place.open()
    assert _opened(place, create=True) == str(places.data / "new" / "folder")


@given(st.text(max_size=20))
def test_no_text_leads_out_of_the_roots(text):
    """The place of any `file:` URL is below a root, or the URL is refused."""
    places = LocalFolders(Path("/nonexistent/data"))
    try:
        place = places.resolve(parse_url("file:" + text))
    except TransferError:
        return
    assert place.root == places.data
    assert not {".", ".."} & set(place.path.split("/"))

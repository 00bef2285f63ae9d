"""The removal of the folders that scripts have worked in (106)."""

import subprocess
import sys

# In a process of its own, because hooks stay: the folder gives way to a link right before its mode is changed.
PROGRAM = """
import os, sys
from pathlib import Path
from sertainty_svc.operations.running import work_folder

def swap(event, arguments):
    if event == "os.chmod" and type(arguments[0]) is not int and not Path("moved").exists():
        os.rename("work/inner", "moved")
        os.symlink("../kept", "work/inner")

sys.addaudithook(swap)
work_folder._remove(Path("work"))
"""


def test_106_a_link_that_takes_the_place_of_a_folder_is_not_followed(tmp_path):
    """Item 106: another script of the same user cannot let a hub that runs as root change what that user may not."""
    (tmp_path / "work" / "inner" / "deeper").mkdir(parents=True)
    (tmp_path / "kept").mkdir(mode=0o755)
    (tmp_path / "kept" / "file").touch()
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, check=True, timeout=30, stdout=subprocess.DEVNULL)
    assert (tmp_path / "moved").is_dir()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["file"]

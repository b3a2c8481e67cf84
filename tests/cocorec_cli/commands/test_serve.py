import shutil
import subprocess
import sys

import pytest

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)

sys.meta_path.insert(0, Blocker())
from cocorec_cli.main import main
sys.exit(main(["serve"]))
"""


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "prometheus_client"])
def test_the_extra_that_is_missing_is_named(library, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(blocked=library)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: serve needs {library}, which is not installed\n")
    assert "pip install 'cocorec[serve]'" in done.stderr


def test_what_cannot_be_served(cli, structured):
    for workdir in (structured, structured / "nothing"):
        ended = cli("serve", "--workdir", workdir, "--port=0")
        assert (ended.code, "hint: " in ended.err, "Traceback" in ended.err) == (3, True, False), ended
    shutil.rmtree(structured)
    assert cli("serve", "--top=20", "--max-top=10").code == 2

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import scheduler_bridge

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {
    "django-tasks-rq is not installed": find_spec("django_tasks_rq") is not None,
    "redis-server is not installed": shutil.which("redis-server") is not None,
}
MISSING = [reason for reason, is_there in NEEDED.items() if not is_there]


@pytest.mark.timeout(480)
@pytest.mark.skipif(bool(MISSING), reason=", ".join(MISSING) or "all is there")
def test_the_distributed_demo_sees_every_kind_of_run_on_its_workers(tmp_path):
    package = str(Path(scheduler_bridge.__file__).resolve().parent.parent)
    env = os.environ | {"CI": "1", "SHOP_VAR": str(tmp_path), "PYTHONPATH": package}
    script = [sys.executable, "examples/demo_distributed.py"]
    result = subprocess.run(script, cwd=ROOT, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]

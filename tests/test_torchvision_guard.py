"""The guard lets torchvision be imported, and touches nothing where it is not needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
MISSING_OPERATOR = "operator torchvision::nms does not exist"
DEFINE_OPERATORS = """
import torch
from cdd.torchvision_guard import SCHEMAS
library = torch.library.Library("torchvision", "DEF")
for schema in SCHEMAS.values():
    library.define(schema)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def output(code: str) -> str:
    finished = python(code)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def skip_where_operators_load(bare_import: subprocess.CompletedProcess[str]) -> None:
    if bare_import.returncode == 0:
        pytest.skip("torchvision's own operators load here")


@pytest.fixture(scope="module")
def bare_import() -> subprocess.CompletedProcess[str]:
    return python("import torchvision")


def test_guard_defines_operators_exactly_where_the_bare_import_fails(bare_import):
    defined = output("from cdd.torchvision_guard import install; print(*install())").split()
    if bare_import.returncode == 0:
        assert defined == []
    else:
        assert MISSING_OPERATOR in bare_import.stderr
        assert defined == ["nms", "qnms"]


def test_torchvision_networks_and_transforms_run_after_the_guard():
    code = """
from cdd.torchvision_guard import install
install()
import torch
from torchvision.models import resnet18
from torchvision.transforms import v2
image = torch.arange(3 * 40 * 40, dtype=torch.uint8).reshape(3, 40, 40)
batch = v2.Compose([v2.Resize((32, 32)), v2.ToDtype(torch.float32, scale=True)])(image)[None]
print(*resnet18(num_classes=7).eval()(batch).shape)
"""
    assert output(code) == "1 7"


def test_calling_the_guard_again_defines_nothing():
    code = """
from cdd.torchvision_guard import install
install()
print(install())
import torchvision
print(install())
"""
    assert output(code).splitlines() == ["()", "()"]


def test_guard_works_after_an_import_that_failed():
    code = """
try:
    import torchvision
except RuntimeError:
    pass
from cdd.torchvision_guard import install
install()
import torchvision.models
print("imported")
"""
    assert output(code) == "imported"


def test_guard_leaves_operators_that_exist_alone(bare_import):
    skip_where_operators_load(bare_import)
    assert output(f"{DEFINE_OPERATORS}\nfrom cdd.torchvision_guard import install\nprint(install())") == "()"


def test_guard_defines_nothing_where_the_extension_loads():
    code = """
import torch
from cdd.torchvision_guard import install
torch.ops.load_library = lambda path: None
print(install(), hasattr(torch.ops.torchvision, "nms"))
"""
    assert output(code) == "() False"


def test_guard_defines_nothing_where_torchvision_is_not_installed():
    code = """
import cdd.torchvision_guard as guard
guard.find_spec = lambda name: None
print(guard.install())
"""
    assert output(code) == "()"


def test_guard_defines_operators_where_torchvision_has_no_extension():
    code = """
import cdd.torchvision_guard as guard
guard.EXTENSION_SUFFIXES = [".none"]
print(*guard.install())
"""
    assert output(code) == "nms qnms"


def test_guarded_operators_cannot_be_called_by_mistake(bare_import):
    skip_where_operators_load(bare_import)
    code = """
from cdd.torchvision_guard import install
install()
import torch
from torchvision.ops import nms
nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
"""
    assert "Couldn't load custom C++ ops" in python(code).stderr


def test_importing_the_library_leaves_torchvision_alone():
    code = "import sys, cdd, cdd.torchvision_guard; print('torchvision' in sys.modules)"
    assert output(code) == "False"

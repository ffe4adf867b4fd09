"""docs/protocol.md says of every request and reply what the code does."""

import inspect
import re
from pathlib import Path

import pytest

from server.performance.layers import LAYERS
from server.protocol import requests, wire
from server.protocol.emotions import EMOTIONS

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text("utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    return re.split(r"^#+ ", DOCUMENT.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_request_has_a_section_and_is_named_as_a_job():
    lifecycle = section("Lifecycle")
    for name in requests.JOBS:
        assert f"### {name}\n" in DOCUMENT
        assert f"`{name}`" in lifecycle


def test_every_field_and_array_of_a_request_is_documented():
    source = inspect.getsource(requests)
    names = set(re.findall(r'(?:_number|_optional_number|_text|_names)\(\w+, "(\w+)"', source))
    names |= set(re.findall(r'(?:header|arrays)(?:\.get\(|\[)"(\w+)"', source))
    assert len(names) > 20
    assert [name for name in sorted(names) if not re.search(rf"`(settings\.)?{name}`", DOCUMENT)] == []


@pytest.mark.parametrize("request_name", ["generate", "prepare_face", "read_emotion", "read_picture"])
def test_every_field_and_array_of_a_result_is_documented(request_name):
    makers = {
        "generate": (requests._generate_fields, requests._generate_arrays, requests._face_arrays),
        "prepare_face": (requests._face_arrays,),
        "read_emotion": (requests.read_emotion,),
        "read_picture": (requests.read_picture,),
    }
    source = "".join(inspect.getsource(maker) for maker in makers[request_name])
    names = set(re.findall(r'"(\w+)":', source)) | set(re.findall(r'arrays\["(\w+)"\]', source))
    text = section(request_name)
    assert [name for name in sorted(names) if f"`{name}" not in text] == []


def test_the_names_and_limits_are_those_of_the_code():
    generate = section("generate")
    assert all(f"`{name}`" in generate for name in (*EMOTIONS, *LAYERS))
    assert f'"protocol": {wire.PROTOCOL}' in section("hello")
    for limit in (f"{wire.MAX_ARRAYS} arrays", f"{wire.MAX_DIMENSIONS} dimensions", f"1 to {requests.MAX_JOB_NAME}"):
        assert limit in section("Frames").replace("\n", " ")
    for limit in (
        f"up to {wire.MAX_OTHER_LINES} other",
        f"{wire.LINE_SECONDS:.0f} s are",
        f"{wire.VOICE_SECONDS:.0f} s were",
    ):
        assert limit in generate.replace("\n", " ")


def test_the_devices_are_documented():
    assert all(f"`{name}`" in DOCUMENT for name in ("auto", "cpu", "gpu", "device_note"))

"""Scripts and render farms with a speech engine that hangs or cannot load: an error, which becomes an exit code."""

import sys

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client import causes, process, wire
from lsf_blender_addon.client.jobs import Client

SERVER = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from server.protocol import wire
reader, sink = wire.Reader(sys.stdin.buffer), sys.stdout.buffer
reader.read()
wire.write_message(sink, {{"type": "hello", "protocol": wire.PROTOCOL}})
{body}
"""
BODIES = {
    "hangs": ('wire.write_message(sink, {"type": "ready"}); os.kill(os.getpid(), signal.SIGSTOP)', causes.HUNG),
    "cannot load": (
        'wire.write_message(sink, {"type": "error", "code": "disk_full", "message": "The disk is full."})',
        "The disk is full.",
    ),
}

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script"),
    pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips"),
]


@pytest.mark.parametrize("kind", BODIES)
def test_generate_all_in_a_script_raises(addon, add_strip, wav, tmp_path, monkeypatch, kind):
    body, sentence = BODIES[kind]
    monkeypatch.setattr(process, "PING_SECONDS", 0.05)
    monkeypatch.setattr(process, "STALL_PINGS", 20)
    script, launcher = tmp_path / "server.py", tmp_path / "python"
    script.write_text(SERVER.format(root=str(wire.SERVER_PARENT), body=body))
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    launcher.chmod(0o755)
    client = Client(launcher, tmp_path / "server.log")
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_SERVER_PYTHON", str(launcher))
    wav[0](tmp_path / "Anna_01.wav", np.full(4 * 8000, 1000), 8000)
    add_strip(tmp_path / "Anna_01.wav", "Anna_01")
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.name = "Anna"
    bpy.ops.lsf.list_lines()
    try:
        with pytest.raises(RuntimeError, match="1 failed"):
            bpy.ops.lsf.generate_all()
        assert addon.session.failures == [("Anna_01", sentence)]
        assert bpy.data.objects["Anna"].data.shape_keys is None
    finally:
        client.stop()

"""Log energy, and OpenFaceFX if it is there."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from server import arkit
from server.training.evaluation import baselines
from server.training.speech.phonetics import ARPABET


def test_log_energy_has_a_value_for_every_whole_frame():
    audio = np.concatenate([np.full(640, 0.1), np.full(640, 0.2), np.full(300, 9)])
    energy = baselines.frame_log_energy(audio)
    assert energy == pytest.approx(np.log([0.01, 0.04]), abs=1e-4)


def test_every_phone_of_grid_has_a_name_for_openfacefx():
    assert set(ARPABET.values()) | {""} == set(baselines.TO_ARPABET)


@pytest.fixture
def fake_package(monkeypatch):
    """A package that opens the jaw as wide as the first phone is long, and has a channel that ARKit lacks."""
    package, alignment, retarget = (
        ModuleType(n) for n in ("openfacefx", "openfacefx.alignment", "openfacefx.retarget")
    )
    alignment.PhonemeSegment = lambda phoneme, start, end: (phoneme, start, end)
    package.generate_from_alignment = list
    retarget.PRESETS = {"arkit": {}}

    def keys(*pairs):
        return [SimpleNamespace(time=time, value=value) for time, value in pairs]

    def channels(segments, mapping):
        assert segments[0][0] == "AA"
        first = segments[0][2] - segments[0][1]
        moving = SimpleNamespace(name="jawOpen", keys=keys((0.0, 0.0), (0.4, first)))
        return SimpleNamespace(channels=[moving, SimpleNamespace(name="viseme", keys=keys((0.0, 1.0)))])

    retarget.retarget = channels
    for module in (package, alignment, retarget):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return package


def test_the_keys_of_openfacefx_become_curves_at_25_fps(fake_package):
    assert baselines.load_openfacefx() is fake_package
    curves = baselines.openfacefx_curves(fake_package, [("ɑ", 0.0, 0.8), ("", 0.8, 1.0)], 25)
    jaw = curves[:, arkit.CHANNELS.index("jawOpen")]
    assert jaw[:11] == pytest.approx(np.linspace(0, 0.8, 11)) and jaw[24] == pytest.approx(0.8)
    assert curves.sum() == pytest.approx(jaw.sum())


def test_a_comparison_without_openfacefx_says_so_and_goes_on(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "openfacefx", None)
    assert baselines.load_openfacefx() is None
    monkeypatch.setattr(baselines, "aligned_people", lambda model, data: [])
    monkeypatch.setattr(baselines, "compare", lambda clips, people, tool: {"aperture_r": 0.5})
    runner = SimpleNamespace(model=None, clips=lambda data, corpus: [])
    report = baselines.comparison_scores(runner, tmp_path)
    assert "pip install openfacefx" in capsys.readouterr().out
    assert set(report) == {
        f"{c}_{tool}_aperture_r" for c in ("grid", "people") for tool in ("checkpoint", "log_energy")
    }

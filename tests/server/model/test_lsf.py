import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from server.errors import LSFError
from server.model import LSF, BackboneConfig, LSFConfig
from server.model.emotion import EMBEDDING
from server.model.losses import channel_weights, predictor_loss, prior_loss
from server.model.motion_prior import take_noise
from server.protocol.emotions import EMOTIONS

TINY_HUBERT = BackboneConfig(kind="hubert", hidden=32, heads=4, mlp=48, conv=16, trainable=True, frozen_layers=1)
PAPER = LSFConfig.paper(
    motion_backbone=TINY_HUBERT,
    motion_layers=(2,),
    emotion_layers=(2,),
    fusion_blocks=3,
    prior_layers=1,
    emotion_backbone=dataclasses.replace(TINY_HUBERT, kind="wav2vec2", trainable=False),
)
HAPPY, NEUTRAL = EMOTIONS.index("happy"), EMOTIONS.index("neutral")


def features(model, clips=2, frames=20):
    return (
        torch.randn(clips, 2 * frames, model.motion_norm.mean.numel()),
        torch.randn(clips, 2 * frames, model.emotion_norm.mean.numel()),
    )


def assert_every_parameter_learns(model):
    still = [
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad and (weight.grad is None or not weight.grad.abs().sum() > 0)
    ]
    assert not still


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"direct_path": ("conv", "conv", "linear"), "residual_stages": 1, "branch_alone": 0.0},
        {"direct_path": (), "width": 16, "heads": 4},
        {"stream_norm": "instance"},
    ],
)
def test_gradients_reach_every_trainable_parameter(make_open, changes):
    model = make_open(**changes).train()
    target = torch.rand(2, 20, 5)
    prior_loss(model, target)["loss"].backward()
    output = model(*features(model), torch.randn(2, 6))
    predictor_loss(model, output, target)["loss"].backward()
    assert_every_parameter_learns(model)


def test_gradients_reach_the_papers_backbone_above_its_frozen_layers(speech_like):
    torch.manual_seed(0)
    model = LSF(PAPER).train()
    audio = torch.from_numpy(speech_like(0.6))
    motion, emotion = model.encode_audio(audio)
    output = model(motion[None], emotion[None], torch.randn(1, 300))
    target = torch.randn(1, 15, 53)
    (predictor_loss(model, output, target)["loss"] + prior_loss(model, target)["loss"]).backward()
    assert output.motion.shape == (1, 15, 53) and model.emotion_reader is None
    assert_every_parameter_learns(model)


@pytest.mark.parametrize("changes", [{}, {"stream_norm": "instance", "prior_norm": "instance"}, {"fusion_span": 4}])
def test_batch_with_mask_equals_each_clip_alone(make_open, changes):
    model = make_open(**changes)
    motion, emotion = features(model, 3, 20)
    identity = torch.randn(3, 6)
    lengths = (20, 7, 1)
    mask = torch.arange(20)[None] < torch.tensor(lengths)[:, None]
    together = model(motion, emotion, identity, mask)
    for clip, n in enumerate(lengths):
        alone = model(motion[clip : clip + 1, : 2 * n], emotion[clip : clip + 1, : 2 * n], identity[clip : clip + 1])
        torch.testing.assert_close(together.z[clip, :n], alone.z[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(together.standardised[clip, :n], alone.standardised[0], atol=1e-5, rtol=0)


def test_losses_ignore_padding(make_open):
    model = make_open()
    motion, emotion = features(model, 2, 12)
    target = torch.rand(2, 12, 5)
    mask = torch.arange(12)[None] < torch.tensor([[12], [5]])
    wild = torch.where(mask[..., None], target, 50.0)
    for loss in (
        lambda t: prior_loss(model, t, mask),
        lambda t: predictor_loss(model, model(motion, emotion, None, mask), t, mask),
    ):
        torch.testing.assert_close(loss(target), loss(wild))


def test_paper_weights_are_means_over_expression_and_jaw():
    error = torch.rand(53)
    weight = channel_weights(LSFConfig.paper(), 0.5, 0.1)
    torch.testing.assert_close((weight * error).sum(), 0.5 * error[:50].mean() + 0.1 * error[50:].mean())
    assert torch.allclose(channel_weights(LSFConfig(), 0.5, 0.1), torch.full((52,), 0.5 / 52))


def test_the_predictor_learns_through_a_frozen_prior(make):
    model = make()
    target = torch.rand(2, 1, 5).expand(2, 20, 5) + 0.3 * torch.sin(torch.arange(20) / 3)[None, :, None]
    optimiser = torch.optim.Adam(model.prior.parameters(), 3e-3)
    for _ in range(200):
        model.train()
        optimiser.zero_grad()
        prior_loss(model, target)["loss"].backward()
        optimiser.step()
    model.prior.requires_grad_(False)
    before = {name: value.clone() for name, value in model.prior.state_dict().items()}
    motion, emotion = features(model)
    optimiser = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], 3e-3)
    losses = []
    for _ in range(150):
        model.train()
        model.prior.eval()
        found = predictor_loss(model, model(motion, emotion, torch.zeros(2, 6)), target)
        optimiser.zero_grad()
        found["loss"].backward()
        optimiser.step()
        losses.append(found["motion"].item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in model.prior.state_dict().items())


def test_a_window_that_is_too_long_is_refused(model):
    audio = torch.zeros(40 * 16000)
    assert model.encode_audio(audio, 200, model.max_frames)[0].shape == (1500, 64)
    with pytest.raises(ValueError, match="windows"):
        model.encode_audio(audio)


def test_a_fresh_models_fused_stream_is_silent_beside_a_direct_path_and_an_open_gate_lets_it_in(make, make_open):
    """Only the fused stream sees the emotion features."""
    identity = torch.randn(2, 6)
    fresh, opened = make(), make_open()
    motion, emotion = features(fresh)
    assert torch.equal(fresh(motion, emotion, identity).z, fresh(motion, 2 * emotion, identity).z)
    assert (opened(motion, emotion, identity).z - opened(motion, 2 * emotion, identity).z).abs().max() > 1e-3


def test_the_gate_of_a_fresh_model_learns_so_that_it_can_open(make):
    model = make().train()
    output = model(*features(model), torch.randn(2, 6))
    predictor_loss(model, output, torch.rand(2, 20, 5))["loss"].backward()
    assert model.residual_gate.grad.abs().min() > 0


def test_an_emotion_is_a_place_on_the_way_from_neutral_to_the_bank(make_open):
    model = make_open(emotion_bank=True)
    bank = torch.randn(8, EMBEDDING)
    model.emotion_reader.bank.copy_(bank)
    weights = torch.zeros(3, 8)
    weights[1, HAPPY], weights[2, HAPPY], weights[2, NEUTRAL] = 1.0, 0.5, 0.5
    places = model.emotion_places(weights)
    torch.testing.assert_close(places, torch.stack([bank[NEUTRAL], bank[HAPPY], (bank[NEUTRAL] + bank[HAPPY]) / 2]))


def test_one_clip_with_several_emotions_is_each_of_them_alone(make_open):
    model = make_open(emotion_bank=True)
    model.emotion_reader.bank.normal_()
    motion = model.stack_motion(torch.randn(1, 40, model.motion_norm.mean.numel()))
    identity, places = torch.randn(1, 6), model.emotion_places(torch.eye(8))
    together = model.predict(motion, places, identity)
    assert together.shape == (8, 20, 16)
    for k in range(8):
        torch.testing.assert_close(together[k : k + 1], model.predict(motion, places[k : k + 1], identity))
    known = together[NEUTRAL : NEUTRAL + 1]
    torch.testing.assert_close(model.predict(motion, places, identity, neutral=known), together, rtol=0, atol=0)
    assert (together[HAPPY] - together[NEUTRAL]).abs().max() > 1e-3


def test_a_neutral_voice_is_the_direct_path_alone_and_a_batch_is_each_clip_alone(make_open):
    model = make_open(emotion_bank=True)
    model.emotion_reader.bank.normal_()
    motion, identity = torch.randn(3, 20, 48), torch.randn(3, 6)
    mask = torch.arange(20)[None] < torch.tensor([[20], [20], [7]])
    weights = torch.zeros(3, 8)
    weights[0, HAPPY], weights[2, HAPPY] = 1.0, 0.4
    z = model.predict(motion, model.emotion_places(weights), identity, mask)
    gain = model.sie_encoder.gains(identity)[1]
    torch.testing.assert_close(z[1], model.direct(motion, gain, mask)[1])
    for clip, frames in ((0, 20), (2, 7)):
        rows = slice(clip, clip + 1)
        alone = model.predict(motion[rows, :frames], model.emotion_places(weights[rows]), identity[rows])
        torch.testing.assert_close(z[rows, :frames], alone, atol=1e-5, rtol=0)
        assert (z[clip, :frames] - model.direct(motion, gain, mask)[clip, :frames]).abs().max() > 1e-3


def test_while_training_a_branch_of_the_direct_path_may_work_alone(make):
    model = make(branch_alone=1.0, dropout=0.0)
    x, gain = torch.randn(40, 6, model.motion_norm.size * 2), torch.ones(40, 1, 16)
    alone = [branch(x, gain) for branch in model.direct.branches]
    torch.testing.assert_close(model.direct(x, gain), (alone[0] + alone[1]) / 2)
    trained = model.train().direct(x, gain)
    chosen = [int(torch.stack([(trained[i] - y[i]).abs().max() for y in alone]).argmin()) for i in range(40)]
    assert set(chosen) == {0, 1}
    torch.testing.assert_close(trained, torch.stack([alone[k][i] for i, k in enumerate(chosen)]))


def test_without_a_direct_path_the_latent_is_the_fused_stream(make):
    model = make(direct_path=(), width=16, heads=4)
    motion, emotion = features(model)
    assert (model(motion, emotion).z - model(motion, 2 * emotion).z).abs().max() > 1e-3


def test_identity_matters_and_its_absence_is_the_average_face(make_open):
    model = make_open()
    motion, emotion = features(model)
    z = model(motion, emotion).z
    assert torch.equal(z, model(motion, emotion, torch.zeros(2, 6)).z)
    assert (z - model(motion, emotion, 3 * torch.randn(2, 6)).z).abs().max() > 1e-4


def test_curves_are_denormalised_and_clamped(make):
    model = make()
    model.motion_mean.fill_(0.4)
    model.motion_scale.fill_(5.0)
    motion, emotion = features(model)
    out = model(motion, emotion)
    assert out.motion.min() == 0 and out.motion.max() == 1
    torch.testing.assert_close(model.standardise(model.destandardise(0.01 * out.standardised)), 0.01 * out.standardised)
    free = make(clamp=False)
    assert free(motion, emotion).motion.min() < 0


def test_temperature(make_open):
    model = make_open()
    motion, emotion = features(model, 1, 50)
    takes = [
        model(motion, emotion, temperature=0.2, noise=take_noise(model.config, seed, 0, 50)).motion
        for seed in (1, 1, 2)
    ]
    assert torch.equal(takes[0], takes[1]) and not torch.equal(takes[0], takes[2])
    assert torch.equal(model(motion, emotion).motion, model(motion, emotion).motion)


@pytest.mark.parametrize("half", [True, False])
def test_save_and_load(make, tmp_path, half, speech_like):
    model = make(seed=3)
    model.save_pretrained(tmp_path / "model", half=half)
    loaded = LSF.from_pretrained(tmp_path / "model")
    assert loaded.config == model.config and not loaded.training
    saved = load_file(tmp_path / "model" / "model.safetensors")
    assert saved["motion_backbone.layers.0.fc1.weight"].dtype == torch.float16
    assert saved["hifb.last.qkv.weight"].dtype == (torch.float16 if half else torch.float32)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    again = tmp_path / "again"
    loaded.save_pretrained(again, half=half)
    assert all(torch.equal(value, saved[name]) for name, value in load_file(again / "model.safetensors").items())


def test_the_filter_bank_is_stored_as_it_is_and_older_checkpoints_without_it_load(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    bank = state.pop("motion_backbone.mel.filters")
    assert torch.equal(bank, model.motion_backbone.mel.filters)
    save_file(state, tmp_path / "model.safetensors")
    assert torch.equal(LSF.from_pretrained(tmp_path).motion_backbone.mel.filters, bank)


def test_the_papers_model_saves_and_loads(tmp_path):
    model = LSF(PAPER).eval()
    model.save_pretrained(tmp_path, half=False)
    loaded = LSF.from_pretrained(tmp_path)
    audio = torch.randn(16000)
    assert [f.shape for f in loaded.encode_audio(audio)] == [(50, 32), (50, 32)]
    trained = model.motion_backbone.model.encoder.layers[1].feed_forward.output_dense.weight
    assert torch.equal(loaded.motion_backbone.model.encoder.layers[1].feed_forward.output_dense.weight, trained)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no folder", "config.json is missing"),
        ("no weights", "model.safetensors is missing"),
        ("cut", "cannot be read"),
        ("text", "cannot be read"),
        ("lacking", "do not belong together"),
        ("surplus", "do not belong together"),
        ("shape", "has shape"),
        ("nan", "not finite"),
        ("huge", "codes"),
        ("binary config", "cannot be"),
    ],
)
def test_a_bad_checkpoint_is_a_sentence(make, tmp_path, damage, words):
    make().save_pretrained(tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    state = load_file(weights)
    if damage == "no folder":
        tmp_path = tmp_path / "nowhere"
    elif damage == "no weights":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "text":
        weights.write_text("version https://git-lfs")
    elif damage == "binary config":
        config.write_bytes(b"\xff\xfe\x00")
    elif damage == "huge":
        config.write_text(json.dumps({**json.loads(config.read_text()), "codes": 10**9}))
    else:
        if damage == "lacking":
            del state["motion_mean"]
        elif damage == "surplus":
            state["other"] = torch.zeros(1)
        elif damage == "shape":
            state["motion_mean"] = torch.zeros(7)
        elif damage == "nan":
            state["motion_mean"][1] = float("nan")
        save_file(state, weights)
    with pytest.raises(LSFError, match=words) as raised:
        LSF.from_pretrained(tmp_path)
    assert raised.value.code == "bad_checkpoint" and str(raised.value).endswith(".")


def test_the_default_fits_on_disk():
    """34 MB of Whisper and the rest in half precision: 60 MB are allowed in all."""
    with torch.device("meta"):
        state = LSF(LSFConfig()).state_dict()
    assert sum(value.numel() * (2 if value.dim() > 1 else 4) for value in state.values()) < 60e6

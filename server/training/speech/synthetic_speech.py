"""Speech with phones in many languages and voices, made with Kokoro-82M: the corpus `kokoro_more`.

    python -m server.training.speech.synthetic_speech --kokoro FOLDER --out DATA/kokoro_more [--hours 1.833] [--seed 1]
        [--languages cmn de ...]

FOLDER has Kokoro's packages (see kokoro.py). Only this command needs the Python packages `onnxruntime`, `onnx` and
`pypinyin`, and the program `espeak-ng`. It writes NNNNN.flac (16 kHz mono) and a line for each in index.jsonl:
`voice` (two names with "+" for a blend, `blend` the share of the first), `language`, `speed`, `text`, `written` (what
Kokoro was given), `phones` as (symbol, start, end in seconds, stress 0). Clip N depends on the seed, the languages and
N alone, so a stopped run goes on where it was. An hour takes half an hour of one core.

The voices that `kokoro_en` keeps out of training are in no clip, not even blended.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from ..corpora import held_out
from . import pronounce
from .kokoro import RATE as KOKORO_RATE
from .kokoro import Kokoro
from .phonetics import Phone

RATE = 16000
#            share of the clips, first letter of the names of the voices that learned the language
LANGUAGES = {
    "cmn": (0.34, "z"),
    "de": (0.14, ""),
    "fr": (0.12, "f"),
    "es": (0.09, "e"),
    "ja": (0.09, "j"),
    "it": (0.06, "i"),
    "pt-br": (0.06, "p"),
    "syllables": (0.10, ""),
}
# Open syllables and closed ones of sounds drawn evenly; what is seen best, and rounded front vowels, comes twice.
ONSETS = "p p b b m m f v θ ð t d n s z l ɹ ɾ ʃ ʒ ʧ ʤ j k ɡ x h w w ɥ ç ɲ ʁ ʦ ɕ ʂ ʨ ʔ β ɣ pl bɹ sp kw".split()
NUCLEI = "i ɪ e ɛ æ a ɑ ʌ ə ɚ ɔ o ʊ u y y ø ø œ ɯ ɤ ɨ A I W Y O ɑ\u0303 ɔ\u0303 iː uː".split()
CODAS = ["", "", "", *"p b m m f v θ t d n s z l ʃ ʧ k ɡ ŋ ç".split()]


class Texts:
    """The sentences of one language: a file of templates, and choices for what stands in their braces."""

    def __init__(self, language: str):
        lines = (Path(__file__).parent / "texts" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        self.templates = [line for line in lines if " = " not in line]
        self.choices = {}
        for name, listed in (line.split(" = ") for line in lines if " = " in line):
            self.choices[name] = listed.split(" | ")

    def draw(self, sentences: int, rng: np.random.Generator) -> str:
        filled = [
            re.sub(r"\{(\w+)\}", lambda m: str(rng.choice(self.choices[m[1]])), template)
            for template in rng.choice(self.templates, sentences, replace=False)
        ]
        return " ".join(sentence[0].upper() + sentence[1:] for sentence in filled)


def syllables(rng: np.random.Generator) -> str:
    """Some nonsense words in Kokoro's alphabet."""
    words = []
    for _ in range(rng.integers(4, 9)):
        word = ["ˈ"]
        for _ in range(rng.integers(1, 4)):
            word += [rng.choice(ONSETS), rng.choice(NUCLEI), rng.choice(CODAS)]
        words.append("".join(word) + rng.choice([" ", " ", ", "]))
    return "".join(words).strip(" ,") + "."


def draw_voice(names: list[str], native: str, rng: np.random.Generator) -> tuple[str, str, float]:
    """Two names and the share of the first; 1 is no blend. Natives of the language are in two clips out of three."""
    natives = [n for n in names if native and n.startswith(native)]
    first = str(rng.choice(natives if natives and rng.random() < 0.67 else names))
    second = str(rng.choice([n for n in names if n != first]))
    return first, second, float(rng.choice([1.0, round(rng.uniform(0.35, 0.75), 2)], p=[0.55, 0.45]))


def trimmed(phones: list[Phone], sound: np.ndarray, below: float = 34.0) -> list[Phone]:
    """Give pauses what is theirs: Kokoro counts the beginning of a pause to the phone before it.

    A phone before a silence ends where the sound, (N,) at 16 kHz, has fallen `below` dB under its loudest; it keeps at
    least 60 ms. Pauses of the noisiest voices lie 38 dB under their vowels.
    """
    step = RATE // 200
    power = (sound[: len(sound) // step * step].reshape(-1, step) ** 2).mean(1)
    loud = 10 * np.log10(power + 1e-12) > 10 * np.log10(power.max() + 1e-12) - below
    merged: list[Phone] = []
    for symbol, start, end in phones:
        if symbol == "sil" and merged and merged[-1][0] == "sil":
            merged[-1] = ("sil", merged[-1][1], end)
        elif end > start:
            merged.append((symbol, start, end))
    for i, (symbol, start, end) in enumerate(merged[:-1]):
        if symbol != "sil" and merged[i + 1][0] == "sil":
            heard = np.flatnonzero(loud[round(start * 200) : round(end * 200)])
            last = start + (heard[-1] + 1) / 200 if len(heard) else start
            end = round(min(end, max(last, start + 0.06)), 3)
            merged[i], merged[i + 1] = (symbol, start, end), ("sil", end, merged[i + 1][2])
    return merged


class Plan:
    """What clip N says, and who says it."""

    def __init__(self, voices: list[str], languages: list[str], seed: int):
        english = sorted(v for v in voices if v[0] in "ab")
        split = held_out(english, 4, 2)  # as corpora.kokoro does
        self.voices = sorted(v for v in voices if v not in english or split(v) == "train")
        self.languages, self.seed = languages, seed
        self.shares = np.array([LANGUAGES[name][0] for name in languages]) / sum(LANGUAGES[n][0] for n in languages)
        self.texts = {name: Texts(name) for name in languages if name != "syllables"}

    def clip(self, number: int) -> dict:
        rng = np.random.default_rng([self.seed, number])
        language = str(rng.choice(self.languages, p=self.shares))
        if language == "syllables":
            text = written = syllables(rng)
        else:
            text = self.texts[language].draw(int(rng.integers(1, 4)), rng)
            written = pronounce.pronounce(text, language)
        first, second, share = draw_voice(self.voices, LANGUAGES[language][1], rng)
        return {
            "file": f"{number:05}.flac",
            "voice": first if share == 1 else f"{first}+{second}",
            "blend": share,
            "language": language,
            "speed": round(float(rng.uniform(0.75, 1.3)), 2),
            "text": text,
            "written": written,
        }


def make(kokoro: Kokoro, clip: dict, folder: Path) -> dict:
    """Write the sound of a planned clip -> the clip with `seconds` and `phones`."""
    names = clip["voice"].split("+")
    voice = sum(
        share * kokoro.voices[name] for share, name in zip((clip["blend"], 1 - clip["blend"]), names, strict=False)
    )
    sound, phones = kokoro.say(clip["written"], voice, clip["speed"])
    resampled = signal.resample_poly(sound, RATE, KOKORO_RATE)
    soundfile.write(folder / clip["file"], np.clip(resampled, -1, 1), RATE)
    timed = [(symbol, round(a, 3), round(b, 3), 0) for symbol, a, b in trimmed(phones, resampled)]
    return {**clip, "seconds": round(len(resampled) / RATE, 3), "phones": timed}


def finished(index: Path) -> list[dict]:
    """The clips in an index; a line that was cut off while it was written is taken out."""
    lines = index.read_text(encoding="utf-8").splitlines(keepends=True) if index.exists() else []
    if lines and not lines[-1].endswith("\n"):
        index.write_text("".join(lines[:-1]), encoding="utf-8")
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kokoro", type=Path, required=True, help="folder with the packages of Kokoro")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.833)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    index = args.out / "index.jsonl"
    done = finished(index)
    seconds = sum(clip["seconds"] for clip in done)
    kokoro = Kokoro(args.kokoro)
    plan = Plan(list(kokoro.voices), args.languages, args.seed)
    number = len(done)
    with index.open("a", encoding="utf-8") as lines:
        while seconds < 3600 * args.hours:
            clip = make(kokoro, plan.clip(number), args.out)
            lines.write(json.dumps(clip, ensure_ascii=False) + "\n")
            lines.flush()
            seconds += clip["seconds"]
            number += 1
            if number % 50 == 0:
                print(f"{number} clips, {seconds / 3600:.2f} h", flush=True)
    print(f"{args.out}: {number} clips, {seconds / 3600:.2f} h")


if __name__ == "__main__":
    main()

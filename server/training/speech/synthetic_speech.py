"""Synthesis of the corpus `kokoro_more`: speech with phones in many languages and voices, by Kokoro-82M.

    python -m server.training.speech.synthetic_speech --kokoro FOLDER --out DATA/kokoro_more [--hours 1.833] [--seed 1]
        [--languages cmn de ...]

FOLDER has Kokoro's packages (see kokoro.py). Only this command needs the Python packages `onnxruntime`, `onnx` and
`pypinyin`, and the program `espeak-ng`. It writes NNNNN.flac (16 kHz mono) and a line for each in index.jsonl (`Clip`).
Clip N depends on the seed, the languages and N alone, so that an interrupted run can continue. An hour of speech takes
half an hour on one core.

No clip has a held-out voice of `kokoro_en`, not even as part of a blend.
"""

import argparse
import json
import re
from pathlib import Path
from typing import TypedDict

import numpy as np
import soundfile
from scipy import signal

from ...files.audio import SAMPLE_RATE
from ...numerics import FloatArray
from ..corpora import KOKORO_HELD_OUT, held_out
from . import kokoro
from .grapheme_to_phoneme import text_to_phonemes
from .phonetics import Phone

# Language -> share of the clips, first letter of the names of the voices that were trained on the language.
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
# Sounds of the nonsense syllables, drawn evenly. The most visible ones and rounded front vowels are listed twice.
ONSETS = "p p b b m m f v θ ð t d n s z l ɹ ɾ ʃ ʒ ʧ ʤ j k ɡ x h w w ɥ ç ɲ ʁ ʦ ɕ ʂ ʨ ʔ β ɣ pl bɹ sp kw".split()
NUCLEI = "i ɪ e ɛ æ a ɑ ʌ ə ɚ ɔ o ʊ u y y ø ø œ ɯ ɤ ɨ A I W Y O ɑ\u0303 ɔ\u0303 iː uː".split()
CODAS = ["", "", "", *"p b m m f v θ t d n s z l ʃ ʧ k ɡ ŋ ç".split()]
POWER_RATE = 200  # Hz at which the power of a sound is measured
MIN_PHONE_SECONDS = 0.06  # that `trim_phones` leaves of a phone


class PlannedClip(TypedDict):
    """Text and voice of a clip.

    Attributes:
        file: Name of the sound file.
        voice: Name of the voice; two names with "+" between them for a blend.
        blend: Share of the first voice.
        language: Key of LANGUAGES.
        speed: Speaking rate.
        text: The spoken text.
        phonemes: The same in Kokoro's alphabet.
    """

    file: str
    voice: str
    blend: float
    language: str
    speed: float
    text: str
    phonemes: str


class Clip(PlannedClip):
    """A line of index.jsonl.

    Attributes:
        seconds: Length of the sound.
        phones: (symbol of Kokoro's alphabet, start, end in seconds, stress 0) of each phone.
    """

    seconds: float
    phones: list[tuple[str, float, float, int]]


class Texts:
    """Random sentences of one language, from templates and the choices for the words in their braces."""

    def __init__(self, language: str):
        """Read the templates of a language from texts/LANGUAGE.txt."""
        lines = (Path(__file__).parent / "texts" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        self.templates = [line for line in lines if " = " not in line]
        self.choices = {}
        for name, listed in (line.split(" = ") for line in lines if " = " in line):
            self.choices[name] = listed.split(" | ")

    def draw(self, sentences: int, rng: np.random.Generator) -> str:
        """Return a text of `sentences` different sentences."""
        filled = [
            re.sub(r"\{(\w+)\}", lambda m: str(rng.choice(self.choices[m[1]])), template)
            for template in rng.choice(self.templates, sentences, replace=False)
        ]
        return " ".join(sentence[0].upper() + sentence[1:] for sentence in filled)


def syllables(rng: np.random.Generator) -> str:
    """Return a sentence of nonsense words in Kokoro's alphabet."""
    words = []
    for _ in range(rng.integers(4, 9)):
        word = ["ˈ"]
        for _ in range(rng.integers(1, 4)):
            word += [rng.choice(ONSETS), rng.choice(NUCLEI), rng.choice(CODAS)]
        words.append("".join(word) + rng.choice([" ", " ", ", "]))
    return "".join(words).strip(" ,") + "."


def draw_voice(names: list[str], native: str, rng: np.random.Generator) -> tuple[str, str, float]:
    """Draw a voice.

    Args:
        names: All voices.
        native: First letter of the voices that were trained on the language, "" if none was. Two clips out of three
            have one of them.
        rng: Source of the random draws.

    Returns:
        Two names and the share of the first; 1 is no blend.
    """
    natives = [n for n in names if native and n.startswith(native)]
    first = str(rng.choice(natives if natives and rng.random() < 0.67 else names))
    second = str(rng.choice([n for n in names if n != first]))
    return first, second, float(rng.choice([1.0, round(rng.uniform(0.35, 0.75), 2)], p=[0.55, 0.45]))


def trim_phones(phones: list[Phone], sound: FloatArray, depth: float = 34.0) -> list[Phone]:
    """Move the ends of phones before a silence to where their sound ends, and merge silences.

    Kokoro adds the beginning of a pause to the phone before it.

    Args:
        phones: Phones with their times; silences are "sil".
        sound: (N,) at 16 kHz.
        depth: Decibels below the loudest part at which a phone ends. Pauses of the noisiest voices are 38 dB below
            their vowels.

    Returns:
        The phones; those before a silence keep at least MIN_PHONE_SECONDS.
    """
    step = SAMPLE_RATE // POWER_RATE
    power = (sound[: len(sound) // step * step].reshape(-1, step) ** 2).mean(1)
    loud = 10 * np.log10(power + 1e-12) > 10 * np.log10(power.max() + 1e-12) - depth
    merged: list[Phone] = []
    for symbol, start, end in phones:
        if symbol == "sil" and merged and merged[-1][0] == "sil":
            merged[-1] = ("sil", merged[-1][1], end)
        elif end > start:
            merged.append((symbol, start, end))
    for i, (symbol, start, end) in enumerate(merged[:-1]):
        if symbol != "sil" and merged[i + 1][0] == "sil":
            audible = np.flatnonzero(loud[round(start * POWER_RATE) : round(end * POWER_RATE)])
            last = start + (audible[-1] + 1) / POWER_RATE if len(audible) else start
            end = round(min(end, max(last, start + MIN_PHONE_SECONDS)), 3)
            merged[i], merged[i + 1] = (symbol, start, end), ("sil", end, merged[i + 1][2])
    return merged


class Plan:
    """The text and the voice of every clip, drawn at random."""

    def __init__(self, voices: list[str], languages: list[str], seed: int):
        """Prepare a plan.

        Args:
            voices: Names of all voices of Kokoro. The held-out ones of `kokoro_en` are not used.
            languages: Keys of LANGUAGES.
            seed: Seed of all draws.
        """
        english = sorted(v for v in voices if v[0] in "ab")
        split = held_out(english, *KOKORO_HELD_OUT)
        self.voices = sorted(v for v in voices if v not in english or split(v) == "train")
        self.languages, self.seed = languages, seed
        self.shares = np.array([LANGUAGES[name][0] for name in languages]) / sum(LANGUAGES[n][0] for n in languages)
        self.texts = {name: Texts(name) for name in languages if name != "syllables"}

    def clip(self, number: int) -> PlannedClip:
        """Return clip `number`; it does not depend on the other clips."""
        rng = np.random.default_rng([self.seed, number])
        language = str(rng.choice(self.languages, p=self.shares))
        if language == "syllables":
            text = phonemes = syllables(rng)
        else:
            text = self.texts[language].draw(int(rng.integers(1, 4)), rng)
            phonemes = text_to_phonemes(text, language)
        first, second, share = draw_voice(self.voices, LANGUAGES[language][1], rng)
        return {
            "file": f"{number:05}.flac",
            "voice": first if share == 1 else f"{first}+{second}",
            "blend": share,
            "language": language,
            "speed": round(float(rng.uniform(0.75, 1.3)), 2),
            "text": text,
            "phonemes": phonemes,
        }


def synthesize(model: kokoro.Kokoro, clip: PlannedClip, folder: Path) -> Clip:
    """Write the sound of a planned clip to a folder, and return its line of the index."""
    names = clip["voice"].split("+")
    voice = np.sum(
        [share * model.voices[name] for share, name in zip((clip["blend"], 1 - clip["blend"]), names, strict=False)],
        axis=0,
    )
    sound, phones = model.synthesize(clip["phonemes"], voice, clip["speed"])
    resampled = signal.resample_poly(sound, SAMPLE_RATE, kokoro.SAMPLE_RATE)
    soundfile.write(folder / clip["file"], np.clip(resampled, -1, 1), SAMPLE_RATE)
    rounded = [(symbol, round(a, 3), round(b, 3), 0) for symbol, a, b in trim_phones(phones, resampled)]
    return {**clip, "seconds": round(len(resampled) / SAMPLE_RATE, 3), "phones": rounded}


def finished(index: Path) -> list[Clip]:
    """Return the clips in an index; an incomplete last line is removed from the file."""
    lines = index.read_text(encoding="utf-8").splitlines(keepends=True) if index.exists() else []
    if lines and not lines[-1].endswith("\n"):
        index.write_text("".join(lines[:-1]), encoding="utf-8")
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> None:
    """Write the corpus, or continue it."""
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
    model = kokoro.Kokoro(args.kokoro)
    plan = Plan(list(model.voices), args.languages, args.seed)
    number = len(done)
    with index.open("a", encoding="utf-8") as lines:
        while seconds < 3600 * args.hours:
            clip = synthesize(model, plan.clip(number), args.out)
            lines.write(json.dumps(clip, ensure_ascii=False) + "\n")
            lines.flush()
            seconds += clip["seconds"]
            number += 1
            if number % 50 == 0:
                print(f"{number} clips, {seconds / 3600:.2f} h", flush=True)
    print(f"{args.out}: {number} clips, {seconds / 3600:.2f} h")


if __name__ == "__main__":
    main()

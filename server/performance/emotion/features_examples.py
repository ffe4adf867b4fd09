"""Idioms for features: features.py reads them as they stand, and text.py what the encoder finds nearly equal to one.

Each key is a direction that the grammar reads; the texts beside it mean the same.
"""

IDIOMS: dict[str, tuple[str, ...]] = {
    "eyebrows up": ("brows shoot up", "brows climbing to the hairline", "eyebrows jump", "brows leap"),
    "one eyebrow up": ("a quizzical brow", "questioning eyebrow", "Spock eyebrow", "sceptical brow"),
    "brows knitted": ("brows bunched", "a crease between the brows", "deep line between the eyes", "beetle-browed"),
    "eyes wide": ("eyes like saucers", "eyes popping out", "eyes on stalks", "deer in the headlights"),
    "eyes narrow": ("peering into the sun", "blinded by bright light", "peers at the small print", "eyes half slits"),
    "eyes closed": ("asleep", "sleeping peacefully", "praying with closed eyes", "unconscious"),
    "half asleep": ("barely awake", "dozing off", "eyelids like lead", "about to nod off", "stoned"),
    "tears": ("wet eyes", "eyes brimming", "welling up", "moist eyes"),
    "nose wrinkled": ("smelling something bad", "nose screwed up", "crinkling her nose", "sniffs suspiciously"),
    "cheeks puffed": (
        "like a trumpeter",
        "holding his breath with full cheeks",
        "hamster cheeks",
        "blowing up a balloon",
    ),
    "lips pressed": ("mouth a thin line", "lips zipped", "biting back a reply", "bites his tongue", "lips sealed"),
    "lips pursed": ("about to whistle", "whistling", "sipping through a straw", "sucking a lemon"),
    "pouting": ("like a stubborn child", "lip out in protest", "petulant", "in a huff"),
    "smile": ("corners of the mouth lift", "showing dimples", "a friendly face", "mouth turned upward"),
    "big smile": ("from ear to ear", "all teeth", "a toothpaste advert", "cheesy"),
    "smirk": ("knowing look", "mischievous", "cheeky", "roguish", "up to something"),
    "corners of the mouth down": ("down in the mouth", "mouth like an upturned U", "long face", "hangdog"),
    "mouth open": ("jaw on the floor", "mouth hanging", "catching flies", "chin drops"),
    "jaw set": ("biting down hard", "determined jaw", "muscles working in the jaw", "grinding her molars"),
    "lip trembling": ("fighting for composure", "mouth wavering", "chin crumples", "lips unsteady"),
    "grimace": ("bit into something sour", "toothache", "pulls a face"),
    "looks up": ("eyes to heaven", "looks at the ceiling", "stares at the sky", "watching a plane overhead"),
    "looks down": ("eyes on the floor", "staring at her shoes", "studies the ground", "avoids eye contact"),
}

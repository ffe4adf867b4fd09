"""What directors call the parts of a face and what they do: the vocabulary of features.py.

Patterns are regular expressions of whole words in lower case; a space stands for one space or a hyphen. Of several that
fit at a place the longest counts, then the first. Amounts are of ARKit's channels, for a direction without a degree;
those of speech (jaw, closure, funnel, pucker) are at most the 30 % that an expression may move.
"""

from collections.abc import Mapping

from ...arkit import CHANNELS, base_name

Amounts = Mapping[str, float]
"""Amount of each channel, by its name without a side."""

OWN = r"(?:the|a|an|her|his|their|your|my|its|one's)"

PARTS: dict[str, str] = {
    r"(?:eye ?)?brows?": "brow",
    r"(?:inner|inside) (?:eye ?)?brows?|(?:inner|inside) (?:corners?|ends?) of "
    + OWN
    + r"? ?(?:eye ?)?brows?": "inner brow",
    r"outer (?:eye ?)?brows?": "outer brow",
    r"forehead": "forehead",
    r"eyes?|gaze|glance": "eye",
    r"(?:upper |lower )?(?:eye ?)?lids?": "lid",
    r"nose": "nose",
    r"nostrils?": "nostril",
    r"cheeks?": "cheek",
    r"mouth": "mouth",
    r"(?:mouth|lip) ?corners?|corners? of (?:" + OWN + r" )?(?:mouth|lips?)": "corner",
    r"lips?": "lip",
    r"(?:upper|top) lip": "upper lip",
    r"(?:lower|bottom) lip": "lower lip",
    r"jaws?": "jaw",
    r"chin": "chin",
    r"teeth|tooth": "teeth",
    r"tongue": "tongue",
}

ACTIONS: dict[str, str] = {
    r"up|upwards?|rais(?:e|es|ed|ing)|lift(?:s|ed|ing)?|higher|high|cock(?:s|ed|ing)?|arch(?:es|ed|ing)?"
    r"|rises?|rising|slant(?:s|ed|ing)? up(?:wards?)?|(?:turn|pull)(?:s|ed|ing)? up": "up",
    r"down|downwards?|lower(?:s|ed|ing)?|low|drop(?:s|ped|ping)?|droop(?:s|ed|ing|y)?|sink(?:s|ing)?"
    r"|(?:turn(?:s|ed|ing)?|pull(?:s|ed|ing)?) down|down ?turned": "down",
    r"knit(?:s|ted|ting)?|furrow(?:s|ed|ing)?|together|(?:pull|drawn?|pinch)(?:s|ed|ing)? together"
    r"|contract(?:s|ed)?": "knit",
    r"wide|widen(?:s|ed|ing)?|wide open|open(?:s|ed|ing)? wide|bulg(?:e|es|ed|ing)": "wide",
    r"narrow(?:s|ed|ing)?|slits?|screwed up": "narrow",
    r"clos(?:e|es|ed|ing)|shuts?|squeez(?:e|es|ed|ing)(?: shut)?": "closed",
    r"open(?:s|ed|ing)?|agape|ajar|part(?:s|ed|ing)|slack|loose|hangs? open|hanging(?: open)?|falls? open": "open",
    r"press(?:es|ed|ing)?(?: together)?|thin|pinched|compress(?:ed|es)?|sealed": "pressed",
    r"tight|tighten(?:s|ed|ing)?|tense[ds]?|set|clench(?:es|ed|ing)?|grit(?:s|ted|ting)?"
    r"|hard|firm|locked|grind(?:s|ing)?|ground": "tight",
    r"puff(?:s|ed|ing)?(?: out| up)?|blow(?:s|n|ing)?(?: out| up)": "puffed",
    r"wrinkl(?:e|es|ed|ing)|scrunch(?:es|ed|ing)?(?: up)?|crinkl(?:e|es|ed|ing)|creas(?:e|es|ed)": "wrinkled",
    r"flar(?:e|es|ed|ing)|dilat(?:e|es|ed|ing)": "flared",
    r"curl(?:s|ed|ing)?(?: up)?|twitch(?:es|ed|ing)?(?: up(?:wards?)?)?"
    r"|quirk(?:s|ed|ing)?(?: up)?|tug(?:s|ged|ging)?": "curled",
    r"purs(?:e|es|ed|ing)|pucker(?:s|ed|ing)?": "pursed",
    r"out|stick(?:s|ing)? out|stuck out"
    r"|push(?:es|ed|ing)? (?:out|forward)|forwards?|jut(?:s|ted|ting)?(?: out)?|thrust(?:s|ing)?(?: out)?": "out",
    r"bit(?:e|es|ten|ing)|chew(?:s|ed|ing)?|suck(?:s|ed|ing)?(?: in)?|roll(?:s|ed|ing)? in|tucked in": "bitten",
    r"trembl(?:e|es|ed|ing)|quiver(?:s|ed|ing)?|wobbl(?:e|es|ed|ing)|shak(?:e|es|ing)": "trembling",
    r"show(?:s|n|ing)?|bar(?:e|es|ed|ing)": "shown",
    r"stretch(?:es|ed|ing)?|pulled back|drawn back": "stretched",
    r"heavy|sleepy|droopy|tired": "heavy",
    r"cold|icy|steely": "cold",
    r"twinkl(?:e|es|ed|ing)|sparkl(?:e|es|ed|ing)": "smiling",
    r"relax(?:es|ed|ing)?|still|at rest|soft|stays? (?:put|still)|unmoved|neutral": "still",
}
HALF_CLOSED = r"half (?:closed|shut)"

_SMILE_EYES = {"cheekSquint": 0.5, "eyeSquint": 0.3}
_SET_JAW = {"mouthPress": 0.4, "jawForward": 0.15}
_OPEN = {"jawOpen": 0.3}
_PRESSED = {"mouthPress": 0.7, "mouthRollLower": 0.15, "mouthRollUpper": 0.15}
_POUT = {"mouthShrugLower": 0.5, "mouthPucker": 0.2}
_KNIT = {"browDown": 0.7}

POSES: dict[tuple[str, str], Amounts] = {
    ("brow", "up"): {"browOuterUp": 0.8, "browInnerUp": 0.4},
    ("brow", "down"): _KNIT,
    ("brow", "knit"): _KNIT,
    ("brow", "tight"): {"browDown": 0.4},
    ("brow", "curled"): {"browOuterUp": 0.6},
    ("inner brow", "up"): {"browInnerUp": 0.8},
    ("inner brow", "down"): _KNIT,
    ("inner brow", "knit"): _KNIT,
    ("outer brow", "up"): {"browOuterUp": 0.8},
    ("outer brow", "down"): {"browDown": 0.5},
    ("forehead", "knit"): _KNIT,
    ("forehead", "wrinkled"): {"browInnerUp": 0.6, "browOuterUp": 0.5},
    ("eye", "wide"): {"eyeWide": 0.8},
    ("eye", "open"): {"eyeWide": 0.3},
    ("eye", "narrow"): {"eyeSquint": 0.7},
    ("eye", "tight"): {"eyeSquint": 0.5},
    ("eye", "closed"): {"eyeBlink": 1.0},
    ("eye", "wrinkled"): _SMILE_EYES,
    ("eye", "smiling"): _SMILE_EYES,
    ("eye", "heavy"): {"eyeBlink": 0.4},
    ("eye", "cold"): {"eyeSquint": 0.2},
    ("eye", "up"): {"eyeLookUp": 0.7},
    ("eye", "down"): {"eyeLookDown": 0.7},
    ("lid", "heavy"): {"eyeBlink": 0.4},
    ("lid", "down"): {"eyeBlink": 0.4},
    ("lid", "up"): {"eyeWide": 0.5},
    ("lid", "wide"): {"eyeWide": 0.7},
    ("lid", "tight"): {"eyeSquint": 0.5},
    ("lid", "narrow"): {"eyeSquint": 0.6},
    ("lid", "closed"): {"eyeBlink": 1.0},
    ("nose", "wrinkled"): {"noseSneer": 0.7},
    ("nose", "flared"): {"noseSneer": 0.5},
    ("nose", "narrow"): {"noseSneer": 0.6},
    ("nose", "up"): {"noseSneer": 0.5},
    ("nostril", "flared"): {"noseSneer": 0.5},
    ("nostril", "wide"): {"noseSneer": 0.5},
    ("cheek", "puffed"): {"cheekPuff": 0.8},
    ("cheek", "up"): {"cheekSquint": 0.7},
    ("corner", "up"): {"mouthSmile": 0.6},
    ("corner", "smiling"): {"mouthSmile": 0.6},
    ("corner", "curled"): {"mouthSmile": 0.5, "mouthDimple": 0.3},
    ("corner", "down"): {"mouthFrown": 0.6},
    ("corner", "tight"): {"mouthDimple": 0.6},
    ("corner", "pressed"): {"mouthDimple": 0.6},
    ("corner", "stretched"): {"mouthStretch": 0.6},
    ("mouth", "open"): _OPEN,
    ("mouth", "wide"): {"jawOpen": 0.3, "mouthStretch": 0.3},
    ("mouth", "closed"): {"mouthPress": 0.3},
    ("mouth", "pressed"): _PRESSED,
    ("mouth", "tight"): {"mouthPress": 0.5},
    ("mouth", "cold"): {"mouthPress": 0.3},
    ("mouth", "down"): {"mouthFrown": 0.6},
    ("mouth", "up"): {"mouthSmile": 0.6},
    ("mouth", "curled"): {"mouthSmile": 0.4, "mouthDimple": 0.3},
    ("mouth", "smiling"): {"mouthSmile": 0.6},
    ("mouth", "pursed"): {"mouthPucker": 0.3},
    ("mouth", "stretched"): {"mouthStretch": 0.6},
    ("lip", "pressed"): _PRESSED,
    ("lip", "tight"): _PRESSED,
    ("lip", "closed"): {"mouthPress": 0.3},
    ("lip", "open"): {"jawOpen": 0.2, "mouthLowerDown": 0.15},
    ("lip", "pursed"): {"mouthPucker": 0.3},
    ("lip", "out"): _POUT,
    ("lip", "bitten"): {"mouthRollLower": 0.6},
    ("lip", "curled"): {"mouthUpperUp": 0.5},
    ("lip", "down"): {"mouthFrown": 0.5},
    ("lip", "up"): {"mouthUpperUp": 0.5},
    ("lip", "trembling"): {"mouthShrugLower": 0.4},
    ("lip", "stretched"): {"mouthStretch": 0.6},
    ("upper lip", "up"): {"mouthUpperUp": 0.6},
    ("upper lip", "curled"): {"mouthUpperUp": 0.6},
    ("upper lip", "bitten"): {"mouthRollUpper": 0.6},
    ("upper lip", "tight"): {"mouthShrugUpper": 0.4},
    ("lower lip", "out"): _POUT,
    ("lower lip", "bitten"): {"mouthRollLower": 0.6},
    ("lower lip", "down"): {"mouthLowerDown": 0.6},
    ("lower lip", "trembling"): {"mouthShrugLower": 0.4},
    ("lower lip", "up"): {"mouthShrugLower": 0.5},
    ("jaw", "open"): _OPEN,
    ("jaw", "down"): _OPEN,
    ("jaw", "wide"): _OPEN,
    ("jaw", "tight"): _SET_JAW,
    ("jaw", "closed"): {"mouthPress": 0.2},
    ("jaw", "out"): {"jawForward": 0.3},
    ("jaw", "trembling"): {"mouthShrugLower": 0.3},
    ("chin", "trembling"): {"mouthShrugLower": 0.4},
    ("chin", "wrinkled"): {"mouthShrugLower": 0.6},
    ("chin", "tight"): {"mouthShrugLower": 0.5},
    ("chin", "out"): {"jawForward": 0.3},
    ("teeth", "tight"): {**_SET_JAW, "mouthStretch": 0.3},
    ("teeth", "pressed"): {**_SET_JAW, "mouthStretch": 0.3},
    ("teeth", "shown"): {"mouthUpperUp": 0.5, "mouthLowerDown": 0.4},
    ("tongue", "out"): {"tongueOut": 0.8},
}

FEATURES: dict[str, tuple[str, Amounts]] = {  # pattern: name of the feature, its pose
    r"smil(?:e|es|ed|ing|ey)": ("smile", {"mouthSmile": 0.6, "cheekSquint": 0.18}),
    r"grin(?:s|ned|ning)?|beam(?:s|ed|ing)?": ("smile", {"mouthSmile": 0.8, "cheekSquint": 0.2}),
    r"frown(?:s|ed|ing)?": ("frown", {"browDown": 0.6, "mouthFrown": 0.3}),
    r"scowl(?:s|ed|ing)?|glower(?:s|ed|ing)?": ("scowl", {"browDown": 0.8, "mouthFrown": 0.3, "eyeSquint": 0.3}),
    r"glar(?:e|es|ed|ing)": ("glare", {"browDown": 0.7, "eyeWide": 0.2}),
    r"sneer(?:s|ed|ing)?": ("sneer", {"noseSneer": 0.5, "mouthUpperUp": 0.5}),
    r"snarl(?:s|ed|ing)?": ("snarl", {"noseSneer": 0.7, "mouthUpperUp": 0.7, "browDown": 0.5}),
    r"squint(?:s|ed|ing)?": ("squint", {"eyeSquint": 0.7}),
    r"pout(?:s|ed|ing|y)?|sulk(?:s|ed|ing|y)?": ("pout", _POUT),
    r"grimac(?:e|es|ed|ing)": ("grimace", {"mouthStretch": 0.6, "eyeSquint": 0.4, "noseSneer": 0.3}),
    r"winc(?:e|es|ed|ing)": ("wince", {"eyeSquint": 0.6, "browDown": 0.4, "mouthStretch": 0.3}),
    r"gap(?:e|es|ed|ing)|open mouthed|slack jawed": ("gape", {"jawOpen": 0.3, "eyeWide": 0.2}),
    r"star(?:e|es|ed|ing)": ("stare", {"eyeWide": 0.2}),
    r"wide eyed|doe eyed|goggle eyed|(?:big|huge|round) eyes": ("wide eyes", {"eyeWide": 0.8}),
    r"(?:lines?|creases?|furrows?) between (?:" + OWN + r" )?(?:eye ?)?(?:brows|eyes)": (
        "knit brows",
        {"browDown": 0.6},
    ),
    r"(?:icy|cold|piercing|intense|hard|steely) (?:stare|gaze|look)": (
        "hard look",
        {"browDown": 0.3, "eyeSquint": 0.3},
    ),
    r"crow's feet": ("smiling eyes", _SMILE_EYES),
    r"determined|resolute|grimly?": ("determined", {"browDown": 0.4, "mouthPress": 0.4}),
    r"concentrat(?:ed|ing)|focused|thoughtful(?:ly)?|pensive": ("thoughtful", {"browDown": 0.35}),
    r"curious(?:ly)?|interested|questioning(?:ly)?": ("curious", {"browOuterUp": 0.3, "browInnerUp": 0.3}),
    r"confused|puzzled|bewildered": ("puzzled", {"browDown": 0.3, "browInnerUp": 0.3, "eyeSquint": 0.2}),
    r"embarrassed|sheepish(?:ly)?|bashful(?:ly)?": ("embarrassed", {"eyeLookDown": 0.4, "mouthPress": 0.3}),
    r"suspicious(?:ly)?|suspicion|distrustful|wary": ("suspicious", {"eyeSquint": 0.4, "browDown": 0.25}),
    r"serious(?:ly)?|stern(?:ly)?": ("serious", {"browDown": 0.35, "mouthPress": 0.3}),
    r"bored": ("bored", {"eyeBlink": 0.3}),
    r"in pain|pained|agony": ("pain", {"eyeSquint": 0.6, "browDown": 0.5, "mouthStretch": 0.4}),
    r"narrow eyed": ("narrow eyes", {"eyeSquint": 0.7}),
    r"tight lipped|thin lipped": ("pressed lips", _PRESSED),
    r"heavy lidded|hooded eyes|half asleep|sleepy|drowsy|bleary(?: eyed)?": ("heavy lids", {"eyeBlink": 0.45}),
    r"kiss(?:es|ing|y)?(?: lips| mouth)?|duck face": ("pucker", {"mouthPucker": 0.3}),
    r"pursed": ("pucker", {"mouthPucker": 0.3}),
    r"(?:duchenne|genuine|real|true|warm) smiles?": (
        "smile",
        {"mouthSmile": 0.6, "cheekSquint": 0.5, "eyeSquint": 0.2},
    ),
    r"smil\w*,? (?:that|which)? ?(?:does not|doesn't|do not|don't|never|not|is not) "
    r"(?:quite )?reach(?:es|ing)? (?:" + OWN + r" )?eyes"
    r"|(?:forced|fake|false|frozen|plastic) smiles?|smil\w* without (?:" + OWN + r" )?eyes": (
        "mouth smile",
        {"mouthSmile": 0.6},
    ),
    r"roll(?:s|ed|ing)? (?:" + OWN + r" )?eyes": ("eye roll", {"eyeLookUp": 0.7, "eyeBlink": 0.2}),
}
ONE_SIDED: dict[str, tuple[str, Amounts]] = {  # on one side even without a word for it
    r"smirk(?:s|ed|ing|y)?|half smil(?:e|es|ing)|half smirk": ("smile", {"mouthSmile": 0.5, "mouthDimple": 0.3}),
    r"s[kc]eptical(?:ly)?|doubtful(?:ly)?": ("doubt", {"browOuterUp": 0.6}),
    r"wink(?:s|ed|ing)?": ("wink", {"eyeBlink": 1.0, "cheekSquint": 0.2}),
}
CHANNEL_AMOUNT, SPEECH_AMOUNT = 0.6, 0.3  # of a channel that is called by its own name
for _channel in CHANNELS:
    _speech = _channel.startswith("jaw") or _channel in ("mouthClose", "mouthFunnel", "mouthPucker")
    _amount = {_channel: SPEECH_AMOUNT if _speech else CHANNEL_AMOUNT}
    FEATURES[_channel.lower()] = (_channel, _amount)
    if (_base := base_name(_channel)) not in ("mouth", "jaw"):
        FEATURES.setdefault(_base.lower(), (_base, {_base: _amount[_channel]}))

LOOKS = r"looks?|looked|looking|gaz(?:e|es|ing)|glanc(?:e|es|ing)"

SIDES: dict[str, str] = {
    r"left|l|left (?:side|one|half)|on the left(?: side)?": "left",
    r"right|r|right (?:side|one|half)|on the right(?: side)?": "right",
    r"one|an?(?= (?:eye ?)?brow\b)|single|on one side|one side|one sided|lopsided|lop sided|crooked"
    r"|asymmetric(?:al)?|uneven|wonky"
    r"|skewed": "one",
    r"(?:the )?other(?: one| side)?": "other",
    r"both|both sides|left and right|right and left": "both",
}

# What a degree makes of an amount. Features are shown at the amounts above, emotions in full, if no degree is given.
DEGREES: dict[str, float] = {
    r"barely|hardly|scarcely|almost not|(?:a |the )?(?:hint|ghost|trace|suggestion|shadow|whisper|flicker) of"
    r"|imperceptibly|ever so slightly|minimal(?:ly)?": 0.25,
    r"slight(?:ly)?|(?:a |just a )?(?:little|bit|tad)(?: bit)?(?: of)?|(?:a )?touch(?: of)?|mild(?:ly)?"
    r"|faint(?:ly)?|subtl[ey]"
    r"|somewhat|weak(?:ly)?|small|tiny|gentl[ey]|light(?:ly)?|vaguely?"
    r"|not (?:very|too|so|that|particularly|really)": 0.4,
    r"half|half way|partly|partially|semi|medium|not quite": 0.5,
    r"rather|fairly|moderate(?:ly)?|kind of|sort of|reasonably": 0.7,
    r"nearly|almost|mostly": 0.85,
    r"very|really|extreme(?:ly)?|absolutely|totally|completely|utterly|deeply|so|big|broad(?:ly)?|huge|hugely"
    r"|incredibly"
    r"|fully|firmly|tightly|strong(?:ly)?|intense(?:ly)?|wildly|terribly|full|wide": 1.4,
}
HIDDEN = 0.5  # of an emotion that somebody tries to hide
HIDING = (
    r"(?:tr(?:y|ies|ied|ying)(?: \w+){0,2} not to|pretend(?:s|ed|ing)? not to|refus(?:es|ing) to)"
    r" (?:show|let)(?: it| on| \w+ show)?"
    r"|hid(?:es|ing|den)(?: it)?|suppress(?:ed|es|ing)(?: it)?|hold(?:s|ing)? (?:it )?back|controlled"
    r"|restrained|contained"
)
HIDING_WHAT = (  # what follows is there, but hidden
    r"(?:tr(?:y|ies|ied|ying)(?: \w+){0,2} not to|pretend(?:s|ed|ing)? not to|fight(?:s|ing)? (?:back|down))"
    r" ?(?:be|look|seem)?"
)

NEGATIONS = (
    r"not|no|never|none|neither|without(?: any)?|\w+n't|cannot|nothing|do not|does not"
    r"|(?:no|not a) (?:trace|hint|sign|touch|bit|spark) of"
    r"|anything but|far from|no longer|not at all|instead of"
    r"|rather than|free of|stop|avoid"
)
LESS = r"less|fewer|reduce[ds]?"
MORE = r"more"
NOT_NEGATIONS = r"not only|not just|no doubt|no wonder|no matter"

FACE = ("face", "expression", "expressions", "facial")  # words that say nothing more to the encoder
STOPS = (
    r"the|a|an|of|her|his|their|your|my|its|he|she|it|they|you|i|is|are|was|be|being|been|in|on|at|to|for|with"
    r"|by|as|if|that"
    r"|this|these|those|one's|and|or|do|does|has|have|had|will|just|only|also|too|even|still|own|me|him|them"
    r"|us|so|than|from"
    r"|into|any|all|some|there|here|who|which|when|where|show|shows|showing|seems?|feels?|feeling|keeps?|keep"
    r"|stays?|stay"
    r"|remains?|face|expression|expressions|facial|look|looks|looking|pulled|sides?|one|ones|ever|quite|sort"
    r"|kind|in sight"
    r"|at all|quite the opposite|the opposite|says?|makes?|make|gives?|give|goes|go|comes?|come|across"
    r"|spreading|slow|slowly"
    r"|polite|politely|please|want|wants|i want|i'd like|nothing else|else|towards?|trace|hint|sign|off|away"
    r"|over|out|bit|really"
    r"|about|now|hint(?:s|ing) at|suggest(?:s|ing)|betray(?:s|ing)|indicat(?:es|ing)|may|might|directed|subject"
    r"|character"
    r"|person|man|woman|old|young|girl|boy|somebody|someone|very much|'\w+"
)
SEPARATORS = (
    r"but|while|although|though|yet|however|then|with|whereas|instead|except|as if|plus|and|or|nor"
    r"|than|until|before"
)
CARRY = ("or", "nor")  # a negation before these goes on after them

# Emotion of a word: known without the text encoder. Phrases and what is not here is for the encoder.
EMOTION_WORDS: dict[str, str | dict[str, float]] = {
    r"ang(?:er|ry|rily)|furious(?:ly)?|fury|rag(?:e|ing)|enraged|livid|mad|irate|annoyed|irritated|irritation"
    r"|miffed|cross"
    r"|outraged?|hostile|wrath(?:ful)?|hatred|hateful|seething|resentful|indignant|exasperated"
    r"|aggressive(?:ly)?|grumpy": "angry",
    r"disgust(?:ed|ing)?|revolted|revulsion|repulsed|nauseous|nausea|nauseated|grossed out|sickened|queasy"
    r"|yuck|loathing": "disgusted",
    r"fear(?:ful|fully)?|afraid|scared(?: stiff)?|terrified|terror|frightened|fright|panic(?:s|king|ked|ky)?"
    r"|anxious(?:ly)?"
    r"|anxiety|nervous(?:ly)?|worr(?:y|ied|ies)|horrified|horror|petrified|dread(?:ing)?|alarmed|timid"
    r"|insecure": "fearful",
    r"happ(?:y|ily|iness)|joy(?:ful|ous)?|delighted|cheerful(?:ly)?|glad|elated|ecstatic|overjoyed|merry"
    r"|thrilled|jolly"
    r"|amused|amusement|laugh(?:s|ed|ing|ter)?|giggl(?:e|es|ing)|chuckl(?:e|es|ing)|relieved|relief"
    r"|over the moon|content"
    r"|grateful|proud|pride|excited|enthusiastic|triumphant|tender(?:ly)?|loving|affectionate|in love": "happy",
    r"sad(?:ly|ness)?|unhappy|sorrow(?:ful)?|griev(?:ing|es)|grief|mourn(?:s|ing|ful)|miserable|depressed|heartbroken"
    r"|melanchol(?:y|ic)|gloomy|tearful|crying|cries|cry|weep(?:s|ing)?|sobs?|sobbing|dejected|desolate|gutted"
    r"|devastated"
    r"|(?:close to|in|near) tears|tears|(?:teary|wet|moist) eye(?:s|d)|lonely|hopeless|disappointed"
    r"|disappointment|sorry|ashamed|remorseful": "sad",
    r"surprised?|surprise|astonish(?:ed|ment)|amazed?|amazement|startled|stunned|flabbergasted|dumbfounded"
    r"|taken aback"
    r"|shocked|speechless|baffled|incredulous|thunderstruck": "surprised",
    r"neutral|calm(?:ly)?|composed|expressionless|deadpan|stone faced|poker faced|blank|impassive|emotionless|serene"
    r"|matter of fact|stoic|unemotional|indifferent": "neutral",
    r"contempt(?:uous|uously)?|scorn(?:ful|fully)?|disdain(?:ful|fully)?|derision|derisive|condescending|smug(?:ly)?"
    r"|arrogant(?:ly)?|haughty|patronising|patronizing|supercilious|snooty"
    r"|look(?:s|ing)? down (?:" + OWN + r" )?nose(?: at \w+)?|look(?:s|ing)? down (?:up)?on \w+": "contempt",
    r"pleasantly": {"happy": 0.4},
    r"tired|weary|exhausted": {"sad": 0.3},
}
EMOTION_PARTS: dict[tuple[str, str], Amounts] = {  # "angry eyes": the emotion in this part of the face alone
    ("angry", "eye"): {"browDown": 0.7, "eyeSquint": 0.3},
    ("angry", "mouth"): {"mouthPress": 0.6},
    ("disgusted", "mouth"): {"mouthUpperUp": 0.6},
    ("disgusted", "nose"): {"noseSneer": 0.7},
    ("fearful", "eye"): {"eyeWide": 0.6, "browInnerUp": 0.6},
    ("fearful", "mouth"): {"mouthStretch": 0.6},
    ("happy", "eye"): _SMILE_EYES,
    ("happy", "mouth"): {"mouthSmile": 0.6},
    ("sad", "eye"): {"browInnerUp": 0.7, "eyeBlink": 0.2},
    ("sad", "mouth"): {"mouthFrown": 0.6},
    ("surprised", "eye"): {"eyeWide": 0.8, "browInnerUp": 0.4, "browOuterUp": 0.4},
    ("surprised", "mouth"): _OPEN,
    ("contempt", "eye"): {"eyeSquint": 0.4},
    ("contempt", "mouth"): {"mouthDimple": 0.5},
    **{
        (emotion, "brow"): pose
        for emotion, pose in (
            ("angry", _KNIT),
            ("sad", {"browInnerUp": 0.7}),
            ("fearful", {"browInnerUp": 0.7}),
            ("surprised", {"browOuterUp": 0.8, "browInnerUp": 0.5}),
        )
    },
}
WORRIED_BROWS: Amounts = {"browInnerUp": 0.6, "browDown": 0.3}  # knitted in fear or sorrow

"""Directions for each emotion, in words that a director may use; emotion_text.py compares others with them."""

EXAMPLES = {
    "angry": (
        "angry", "furious", "annoyed", "enraged, shouting", "irritated and impatient", "mad at everyone",
        "hostile and threatening", "losing his temper", "she yells at him", "frustrated and fed up", "bitter",
        "resentful, holding a grudge", "wants revenge", "cold anger, through clenched teeth",
        "aggressive, ready to fight", "indignant about an injustice", "grumpy and cross", "jealous and spiteful",
        "scolding a child", "quarrelling", "exasperated, has had enough", "hateful", "provoked and about to explode",
        "demanding an explanation",
    ),
    "disgusted": (
        "disgusted", "revolted", "nauseous", "grossed out", "repulsed by the sight", "it smells terrible in here",
        "the food is rotten", "about to vomit", "queasy", "yuck, that is filthy", "appalled by the dirt",
        "tastes something foul", "cannot stand to touch it", "sickened", "full of aversion", "recoils from slime",
        "finds a hair in the soup", "distaste", "looks at something mouldy", "squeamish at blood",
        "there are insects in the food", "loathing", "wrinkles her nose", "a stench",
    ),
    "fearful": (
        "afraid", "scared", "terrified", "panicking", "anxious", "nervous and tense", "worried sick", "in danger",
        "hears a noise in the dark", "hiding from a killer", "trembling with fear", "dreading what will come",
        "shy and timid", "insecure and hesitant", "horror", "begging for his life", "stage fright",
        "suspicious that somebody watches her", "alarmed", "stressed and uneasy", "fears for the life of her son",
        "whispers so that nobody hears", "desperate, chased", "frightened like a child",
    ),
    "happy": (
        "happy", "joyful", "delighted", "cheerful", "laughing", "amused", "in love", "affectionate and tender",
        "warm and friendly", "kind and encouraging", "proud", "excited and enthusiastic", "ecstatic",
        "relieved, everything is fine", "content and relaxed", "hopeful and optimistic", "grateful",
        "playful, joking", "flirting", "celebrating a victory", "welcoming an old friend",
        "children playing in the sun", "thrilled by good news", "giggling",
    ),
    "sad": (
        "sad", "crying", "in tears", "grieving", "mourning the dead", "heartbroken", "lonely", "depressed",
        "hopeless", "disappointed", "melancholic", "regretful", "ashamed", "guilty and sorry", "homesick",
        "exhausted", "tired and weary", "full of self-pity", "resigned, has given up", "hurt by what he said",
        "gloomy", "wistful, remembers better days", "saying farewell", "pitiful and broken",
    ),
    "surprised": (
        "surprised", "astonished", "amazed", "startled", "shocked", "cannot believe it", "taken aback",
        "did not expect that", "stunned", "speechless", "what, is that true?", "wow!", "eyes wide, mouth open",
        "finds out the secret", "a sudden turn", "baffled and puzzled", "incredulous", "amazed by a magic trick",
        "an unexpected visitor", "wonder and awe", "gasps", "hears unbelievable news",
        "confused, did not see it coming", "suddenly realises the truth",
    ),
    "neutral": (
        "neutral", "no emotion", "calm", "matter-of-fact", "expressionless", "monotone, like a robot",
        "reads the news", "explains the rules", "gives instructions", "states the facts",
        "professional and business-like", "objective", "indifferent", "bored and uninterested", "detached",
        "serious and concentrated", "polite but impersonal", "an announcement at a railway station",
        "reading a manual aloud", "composed", "plain and simple", "thinking, absent-minded", "just talking",
        "a lecture",
    ),
    "contempt": (
        "contemptuous", "scornful", "disdainful", "sneering", "mocking", "sarcastic", "ironic and cynical",
        "arrogant", "condescending", "smug", "looks down on others", "superior", "snobbish", "ridicules him",
        "talks to her as if she were stupid", "derisive laughter", "dismissive, does not take him seriously",
        "haughty", "patronising", "vain and conceited", "rolls the eyes", "belittles her work",
        "feels better than all of them", "unimpressed and disparaging",
    ),
}

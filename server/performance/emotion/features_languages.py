"""Words for faces in German, French, Spanish and Japanese, put into English word by word for features.py.

The grammar looks at which words stand together, and little at their order, so no sentence is translated. Words that are
not listed stay as they are, and are told as not understood. Patterns are regular expressions in lower case.
"""

import re
from functools import cache
from typing import NamedTuple

MIN_SHARE = 0.5  # of the words of a text that a language must know, for the text to be in it
WORD = re.compile(r"[^\W\d_]+")
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

GERMAN: dict[str, str] = {
    r"eine (?:augen)?braue": "one eyebrow",
    r"(?:augen)?brauen?": "eyebrows",
    r"augen|blick": "eyes",
    r"auge": "eye",
    r"augenlider|lider": "eyelids",
    r"nase": "nose",
    r"nüstern|nasenflügel": "nostrils",
    r"wangen?|backen": "cheeks",
    r"mund": "mouth",
    r"mundwinkel": "mouth corners",
    r"lippen?": "lips",
    r"oberlippe": "upper lip",
    r"unterlippe": "lower lip",
    r"kiefer": "jaw",
    r"kinn": "chin",
    r"zähne": "teeth",
    r"zunge": "tongue",
    r"hochgezogene?n?|hoch|oben|gehobene?n?|heben|hebt|hochziehen": "up",
    r"unten|gesenkte?n?|herabgezogene?n?|hängende?n?|hängen|runter|herunter": "down",
    r"zusammengezogene?n?|gerunzelte?n?": "knit",
    r"weit|aufgerissene?n?|weit (?:offen|aufgerissen)|große": "wide",
    r"zusammengekniffene?n?|zu schlitzen|verengte?n?|schmale?n?": "narrow",
    r"geschlossene?n?|zu": "closed",
    r"offene?n?|geöffnete?n?": "open",
    r"zusammengepresste?n?|aufeinandergepresst|gepresste?n?": "pressed",
    r"zusammengebissene?n?|angespannte?n?": "clenched",
    r"aufgeblasene?n?|aufgeblähte?n?": "puffed",
    r"gerümpfte?n?|rümpft": "wrinkled",
    r"gespitzte?n?": "pursed",
    r"zitternde?n?|zittert|zittern|bebende?n?": "trembling",
    r"vorgeschobene?n?|rausgestreckt|herausgestreckt": "out",
    r"beißt|beißend|kaut": "bites",
    r"lächelnd?|lächelt": "smile",
    r"grinsen|grinsend|grinst": "grin",
    r"stirnrunzelnd?": "frown",
    r"zwinkernd?|zwinkert": "wink",
    r"schmollend?|schmollt": "pout",
    r"schiefe?[snrm]?": "crooked",
    r"links|linke?[snrm]?": "left",
    r"rechts|rechte?[snrm]?": "right",
    r"beide": "both",
    r"nicht|keine?[snrm]?|ohne|nie": "not",
    r"weder|noch": "not",
    r"kaum": "barely",
    r"leichte?[snrm]?|etwas|ein (?:bisschen|wenig)": "slightly",
    r"halb": "half",
    r"sehr|total|völlig": "very",
    r"nur|bloß": "only",
    r"aber|doch": "but",
    r"und": "and",
    r"oder": "or",
    r"mit": "with",
    r"der|die|das|den|dem|des|ein|einen?|einem|eines|er|sie|ihre?|seine?|ist|sind|im": "the",
    r"wütend|zornig|sauer|verärgert|wut|zorn": "angry",
    r"angeekelt|ekel|angewidert": "disgusted",
    r"ängstlich|angst|verängstigt|besorgt|nervös": "afraid",
    r"glücklich|froh|fröhlich|freude|lachend|lacht|lachen": "happy",
    r"traurige?[snrm]?|trauer|weinend|weint": "sad",
    r"überraschte?[snrm]?|erstaunt|verblüfft|überraschung": "surprised",
    r"verächtlich|verachtung|herablassend": "contempt",
    r"neutral|ruhig|ausdruckslos|gelassen": "calm",
    r"müde|erschöpft": "tired",
}
FRENCH: dict[str, str] = {
    r"un sourcil": "one eyebrow",
    r"sourcils?": "eyebrows",
    r"yeux|regard": "eyes",
    r"œil|oeil": "eye",
    r"paupières?": "eyelids",
    r"nez": "nose",
    r"narines?": "nostrils",
    r"joues?": "cheeks",
    r"bouche": "mouth",
    r"coins? (?:de la bouche|des lèvres)|commissures?(?: des lèvres)?": "mouth corners",
    r"lèvres?": "lips",
    r"lèvre supérieure": "upper lip",
    r"lèvre inférieure": "lower lip",
    r"mâchoires?": "jaw",
    r"menton": "chin",
    r"dents": "teeth",
    r"langue": "tongue",
    r"levée?s?|haussée?s?|relevée?s?|en haut": "up",
    r"baissée?s?|tombante?s?|abaissée?s?|en bas": "down",
    r"froncée?s?|fronce": "knit",
    r"écarquillée?s?|grands? ouverts?": "wide",
    r"plissée?s?": "narrow",
    r"fermée?s?|closes?": "closed",
    r"ouverte?s?|entrouverte?s?": "open",
    r"serrée?s?|pincée?s?|crispée?s?": "tight",
    r"gonflée?s?": "puffed",
    r"tremblante?s?|tremble": "trembling",
    r"tirée?": "out",
    r"mord(?:ant)?": "bites",
    r"clin d œil|clin d'œil": "wink",
    r"souriante?s?|sourire|sourit": "smile",
    r"de travers|en coin|tordue?s?": "crooked",
    r"moue|boudeuse?": "pout",
    r"gauche": "left",
    r"droite?": "right",
    r"deux": "both",
    r"pas|sans|non|aucune?|ni|jamais": "not",
    r"à peine": "barely",
    r"légèrement|légère?|un peu": "slightly",
    r"à moitié|mi": "half",
    r"très|tout à fait|complètement": "very",
    r"seulement|juste": "only",
    r"mais": "but",
    r"et": "and",
    r"ou": "or",
    r"avec": "with",
    r"les?|la|une?|des?|du|l|d|il|elle|est|son|sa|ses|n|ne": "the",
    r"en colère|fâchée?|furieu(?:x|se)|colère|énervée?": "angry",
    r"dégoûtée?|dégoût|écœurée?": "disgusted",
    r"peur|effrayée?|apeurée?|inquiète?|inquiet|nerveu(?:x|se)|terrifiée?": "afraid",
    r"heureu(?:x|se)|joyeu(?:x|se)|contente?|joie|rit|rire": "happy",
    r"tristes?|tristesse|pleure": "sad",
    r"surprise?|étonnée?|stupéfaite?": "surprised",
    r"méprisante?|mépris|dédaigneu(?:x|se)": "contempt",
    r"neutre|calme|impassible": "calm",
    r"fatiguée?|épuisée?": "tired",
}
SPANISH: dict[str, str] = {
    r"una ceja": "one eyebrow",
    r"cejas?": "eyebrows",
    r"ojos|mirada": "eyes",
    r"ojo": "eye",
    r"párpados?": "eyelids",
    r"nariz": "nose",
    r"mejillas?": "cheeks",
    r"boca": "mouth",
    r"comisuras?(?: de (?:la boca|los labios))?": "mouth corners",
    r"labios?": "lips",
    r"labio superior": "upper lip",
    r"labio inferior": "lower lip",
    r"mandíbula": "jaw",
    r"mentón|barbilla": "chin",
    r"dientes": "teeth",
    r"lengua": "tongue",
    r"levantad[oa]s?|alzad[oa]s?|arquead[oa]s?|arriba": "up",
    r"bajad[oa]s?|caíd[oa]s?|abajo": "down",
    r"fruncid[oa]s?": "knit",
    r"muy abiertos|abiertos de par en par|desorbitados": "wide",
    r"entrecerrad[oa]s?|entornad[oa]s?": "narrow",
    r"cerrad[oa]s?": "closed",
    r"abiert[oa]s?|entreabiert[oa]s?": "open",
    r"apretad[oa]s?|tens[oa]s?": "tight",
    r"arrugad[oa]s?": "wrinkled",
    r"inflad[oa]s?|hinchad[oa]s?": "puffed",
    r"temblando|tembloros[oa]s?|tiembla": "trembling",
    r"fuera": "out",
    r"sonrisa|sonriendo|sonríe|sonriente": "smile",
    r"torcid[oa]s?|ladead[oa]s?": "crooked",
    r"guiña(?:ndo)?": "wink",
    r"muerde|mordiendo": "bites",
    r"puchero": "pout",
    r"izquierd[oa]s?": "left",
    r"derech[oa]s?": "right",
    r"ambos|ambas": "both",
    r"no|sin|ni|nunca|ningun[oa]?|ningún": "not",
    r"apenas": "barely",
    r"ligeramente|un poco|levemente|leve": "slightly",
    r"medio|media|a medias": "half",
    r"muy|totalmente|completamente": "very",
    r"sólo|solo|solamente": "only",
    r"pero": "but",
    r"y": "and",
    r"o": "or",
    r"con": "with",
    r"el|la|los|las|una?|unos|unas|del?|está|es|su|sus|de": "the",
    r"enfadad[oa]|enojad[oa]|furios[oa]|ira|rabia|enfado": "angry",
    r"asquead[oa]|asco": "disgusted",
    r"asustad[oa]|miedo|aterrad[oa]|nervios[oa]|preocupad[oa]": "afraid",
    r"feliz|alegre|content[oa]|alegría|riendo|ríe": "happy",
    r"tristes?|tristeza|llorando|llora": "sad",
    r"sorprendid[oa]s?|asombrad[oa]|sorpresa": "surprised",
    r"desdeños[oa]|desprecio|despectiv[oa]": "contempt",
    r"neutral|tranquil[oa]|impasible|calmad[oa]": "calm",
    r"cansad[oa]|agotad[oa]": "tired",
}
JAPANESE_WORDS: dict[str, str] = {
    r"怒っ(?:て)?(?:い)?ない|怒らず(?:に)?": "not angry,",
    r"(?:悲し|嬉し|楽し)くない": "not sad, not happy,",
    r"笑っ(?:て)?(?:い)?ない|笑わず(?:に)?": "not smile,",
    r"怒っ(?:て(?:い?る)?|た)|怒り|激怒|腹を立て(?:て)?(?:い?る)?": "angry,",
    r"嫌悪(?:感)?|気持ち悪(?:そう(?:に|な)?|い|がって)?": "disgusted,",
    r"怖がっ(?:て(?:い?る)?|た)|怯え(?:て(?:い?る)?|た)?|恐怖|不安(?:そう(?:に|な)?|げ(?:に|な)?)?": "afraid,",
    r"嬉し(?:そう(?:に|な)?|い)|楽し(?:そう(?:に|な)?|い)|喜ん(?:で(?:い?る)?|だ)|幸せ(?:そう(?:に|な)?)?": "happy,",
    r"悲し(?:そう(?:に|な)?|い|げ(?:に|な)?|み)|泣(?:い(?:て(?:い?る)?|た)|き|く)": "sad,",
    r"驚(?:い(?:て(?:い?る)?|た)|き|く)|びっくり(?:し(?:て(?:い?る)?|た))?": "surprised,",
    r"軽蔑(?:し(?:て(?:い?る)?|た))?|見下し(?:て(?:い?る)?|た)": "contempt,",
    r"無表情(?:で|に|の)?|冷静(?:に|な)?|落ち着い(?:て(?:い?る)?|た)": "calm,",
    r"微笑(?:む|み|ん(?:で(?:い?る)?|だ))|ほほえ(?:む|み)|笑顔(?:で)?|笑っ(?:て(?:い?る)?|た)|笑う": "smile,",
    r"にやり(?:と)?|ニヤリ(?:と)?": "smirk,",
    r"眉をひそめ(?:て(?:い?る)?|た|る)?|眉をしかめ(?:て(?:い?る)?|た|る)?": "brows knit,",
    r"片(?:方の)?眉": "one eyebrow ",
    r"眉(?:毛)?": "eyebrows ",
    r"目|瞳": "eyes ",
    r"口角": "mouth corners ",
    r"口": "mouth ",
    r"唇": "lips ",
    r"頬": "cheeks ",
    r"鼻": "nose ",
    r"歯": "teeth ",
    r"見開い(?:て(?:い?る)?|た)": "wide,",
    r"細め(?:て(?:い?る)?|た|る)?": "narrow,",
    r"閉じ(?:て(?:い?る)?|た|る)?|つぶっ(?:て(?:い?る)?|た)": "closed,",
    r"開い(?:て(?:い?る)?|た)|開け(?:て(?:い?る)?|た|る)?": "open,",
    r"上げ(?:て(?:い?る)?|た|る)?|上がっ(?:て(?:い?る)?|た)": "up,",
    r"下げ(?:て(?:い?る)?|た|る)?|下がっ(?:て(?:い?る)?|た)": "down,",
    r"噛ん(?:で(?:い?る)?|だ)|噛む": "bitten,",
    r"結ん(?:で(?:い?る)?|だ)|引き結ん(?:で(?:い?る)?|だ)": "pressed,",
    r"膨らませ(?:て(?:い?る)?|た|る)?": "puffed,",
    r"左(?:の|側の?)?": "left ",
    r"右(?:の|側の?)?": "right ",
    r"少し|ちょっと|やや|わずかに|かすかに": "slightly ",
    r"とても|すごく|非常に|激しく": "very ",
    r"しかし|けど|が、|だが": "but ",
    r"ながら": ",",
    r"[をがにはもでとのな]": " ",
}
LANGUAGES = (GERMAN, FRENCH, SPANISH)


class Translated(NamedTuple):
    """A text in English, and where each of its letters comes from.

    Attributes:
        text: English, as far as the words are known.
        starts, ends: For each letter, the part of the original text that it stands for.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original text for a part of this one."""
        return min(self.starts[start:end]), max(self.ends[start:end])


def translate(text: str) -> Translated | None:
    """Put a text into English word by word; None if it is in none of these languages, or in English."""
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    if JAPANESE.search(text):
        return _put(lower, _compiled(3), between="")
    words = WORD.findall(lower)
    known = [sum(any(p.fullmatch(word) for p, _ in _compiled(n)) for word in words) for n in range(len(LANGUAGES))]
    best = max(range(len(LANGUAGES)), key=known.__getitem__)
    if not words or known[best] < MIN_SHARE * len(words):
        return None
    return _put(lower, _compiled(best), between=r"(?!\w)")


@cache
def _compiled(number: int) -> list[tuple[re.Pattern[str], str]]:
    """The patterns of a language with their English words."""
    table = (*LANGUAGES, JAPANESE_WORDS)[number]
    return [(re.compile(pattern), english) for pattern, english in table.items()]


def _put(text: str, table: list[tuple[re.Pattern[str], str]], between: str) -> Translated:
    """Replace what a language knows, at each place by the longest pattern.

    Args:
        text: In lower case.
        table: Patterns and English words.
        between: What must follow a pattern; "" for a language that does not part its words.
    """
    ends = re.compile(between)
    result = Translated("", [], [])
    english, at = "", 0
    while at < len(text):
        inside_word = between and at > 0 and text[at - 1].isalnum()
        matches = [] if inside_word else [(m.end(), word) for p, word in table if (m := p.match(text, at))]
        matches = [(end, word) for end, word in matches if ends.match(text, end)]
        end, word = max(matches, key=lambda found: found[0], default=(at + 1, text[at]))
        english += word
        result.starts.extend([at] * len(word))
        result.ends.extend([end] * len(word))
        at = end
    return result._replace(text=english)

"""The answer in what a model wrote: boxes, tags, "The answer is", markdown,
what is explained behind it. Linear; pure."""

from __future__ import annotations

import re

from pdr_dspy.answers.bullets import listed, single
from pdr_dspy.answers.fences import fenced
from pdr_dspy.answers.marked import LONGEST, boxed, tagged
from pdr_dspy.answers.symbols import characters, commands
from pdr_dspy.mentions import Mentions

_ROUNDS = 8

_END = re.compile(
    r"<\|[a-z_]{2,20}\|>|</s>|<(?:end_of_turn|eos|pad|bos|s)>|\[{1,2} ?#{1,3} ?(?:completed|end) ?#{1,3} ?\]{1,2}",
    re.IGNORECASE,
)
_HTML = re.compile(r"</?(?:b|i|em|strong|p|span|div|u|code|sub|br)\s?/?>", re.IGNORECASE)
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_THOUGHT = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
_SAYS_NOTHING = " .,;:*_`\"'\n\t"
_LEAD = re.compile(
    r"(?:\b(?:final |correct |right |best |my ){0,3}(?:answer|choice|result|option)\b(?: to (?:the"
    r"|this) (?:question|problem))?"
    r"(?:[*_`]{0,3}\s{0,3}(?:\bis\b(?: therefore| thus| then| option| choice| equal to)?(?![a-zA-Z'])|=(?!=)|:)"
    r"|\s*(?:\uff1a|\u2192|[-=]>))"
    r"|(?:\u7b54\u6848|\u6545\u9009|\u6545\u7b54\u6848\u4e3a|\u6240\u4ee5\u9009|\u7b54\u3048?|\u6545\u586b"
    r"|\u9009)(?:\u662f|\u4e3a)?\s*[:\uff1a]?"
    r"|\bso it (?:must be|is)\b|(?:^|\n)[ \t]*####"
    r"|(?:^|\n)[ \t]*(?:#{1,6} )?[*_]{0,3}(?:the )?(?:final |correct )?answers?:?[*_]{0,3}[ \t]*(?=\n))[ \t]*:?",
    re.IGNORECASE,
)
_CHECK = re.compile(
    r"[\s*_]*(?:indeed |also |clearly |therefore |thus )?(?:correct|right|verified|confirmed|consistent"
    r"|reasonable|unique)\b",
    re.IGNORECASE,
)
_WAIT = re.compile(
    r"(?:^|\n|(?<=[.!?\u2026] )|,(?=[ \t]*(?:no,? )?wait\b))[ \t]*(?:no,? wait|wait|hold on|actually|correction"
    r"|scratch that|on second thought|no,"
    r"|oops|hmm|sorry)\b[,.!:\u2026 ]*",
    re.IGNORECASE,
)
_SAYS = re.compile(r"(?:.*\b(?:is|are|be|equals|get|gives)\b|.*=)\s*(?=\S)", re.DOTALL | re.IGNORECASE)
_EXPLAINS = re.compile(
    r"\((?=[^()]*[^\W\d_]{3})|(?:[*_#]{0,4})(?:explanation|reason|because|since|note|check|proof|solution|here|this|that|verif"
    r"|as |justif|rationale|work"
    r"|steps?|i |we |to |so |thus|therefore|let|by |using|where|with|first|given|confidence|in |the |it |for )",
    re.IGNORECASE,
)
_PARENTHESIS = re.compile(r"(?<=\S)\s+\(([^()]*(?:\([^()]*\)[^()]*){0,6})\)\s*\.?\Z")
_OTHER = re.compile(r"(?:and )?not [-$]?[0-9][^\s()]{0,20}")  # `5 (not 6)`
_NOT_BUT = re.compile(
    r"(?:it is |it's )?not (?:(?:[-$]?[0-9]\S{0,20}) but"
    r"|[^\s,.;]{1,40}(?: [^\s,.;]{1,40})?[,;.] (?:but )?(?:it is|it's)) (?=\S)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"#{1,6} [A-Za-z ]{1,40}:?")
_NUMBERED = re.compile(r"[0-9]{1,2}[.)] \S")
_OPERATOR = re.compile(r"(?:\\[a-zA-Z]+|[-+*/^_=<>(,])\s*\Z")
_CLAUSE = re.compile(
    r"(?:, (?:and )?not\b|,? (?:or|i\.e\.,?) (?:about|approximately|roughly)\b"
    r"|\s*\\approx(?![a-z])(?<!\A\\approx)(?!.*\b(?:or|and|not)\b)|\s+for (?:all|every|any) |\s--\s"
    r"|,? (?:because|since|as (?!well)"
    r"|so that|for which|which|due to|given that)\b"
    r"|\s+[\u2014#]\s|;? i\.e\.).*\Z",
    re.DOTALL,
)
_IS_IT = re.compile(
    r"(?!if |whether |neither |unless )(.{1,80}?),? (?:is|are) (?:the|my|our)"
    r" (?:final |correct |right )?(?:answers?|result|solutions?)",
    re.IGNORECASE,
)
_SYMBOL = re.compile(r"[a-zA-Z](?:_\{?\w{1,8}\}?)?|\\[a-zA-Z]+")
_SENTENCE = re.compile(r"\A([^\n]{1,60}?)[.!\u2026]\s+(?=[A-Z(])(.*)\Z", re.DOTALL)
_SO = re.compile(
    r"(?:(?:and )?(?:so|thus|hence|therefore|then|finally|consequently|in conclusion|it follows that|we (?:get"
    r"|have|find|obtain))"
    r"[,:]? (?:that )?)+(?=\S)",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:or|also|other|another|alternatively|second|actually|however|but|not|wrong|n't)\b", re.IGNORECASE
)
_PAIRS = (
    ("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("~~", "~~"), ("```", "```"), ("`", "`"),
    ('"', '"'), ("'", "'"), ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"),
)  # fmt: skip
_BOLD = re.compile(r"(?<![\w*)}])(\*\*|__)(?=\S)([^*_\n]{1,200})\1(?![\w(*])")


def surface(text: str) -> str:
    """The answer itself, its characters and commands in one spelling; of a long text without a mark, all of it."""
    if "<" in text or "[" in text:
        text = _without(_HTML, "", _without(_END, " ", text))
    if "~~" in text:
        text = _STRUCK.sub(" ", text) if _STRUCK.sub("", text).strip() else text
    if len(text) <= 2 * LONGEST and (block := fenced(text.strip())) is not None and not block.lstrip().startswith("{"):
        text = block
    text = _behind_thought(text)
    if (within := tagged(text)) is not None:
        text = within
    if (part := boxed(text)) is None:
        part = _written(text)
    if len(part) > LONGEST:
        return " ".join(part.split())
    part = commands(characters(part))
    for _ in range(_ROUNDS):
        before = part
        part = peeled(_shortened(peeled(part)))
        if part == before:
            break
    return part


def _without(marks: re.Pattern[str], instead: str, text: str) -> str:
    """The text without such marks, but for those that it speaks of, and where they are all of it: then they are it."""
    mentions = Mentions(text)
    rest = marks.sub(lambda mark: mark[0] if mentions.quoted(mark.start(), mark.end()) else instead, text)
    return rest if rest.strip(_SAYS_NOTHING) else text


def _behind_thought(text: str) -> str:
    """What stands behind the last thinking, where something does."""
    mentions = Mentions(text)
    ends = [end.end() for end in _THOUGHT.finditer(text) if not mentions.quoted(end.start(), end.end())]
    return text[ends[-1] :] if ends and text[ends[-1] :].strip(_SAYS_NOTHING) else text


def peeled(text: str) -> str:
    """Without what surrounds it: markdown, dollar signs, quotes, sentence marks, a heading's signs,
    the words before it."""
    for _ in range(_ROUNDS):
        before = text
        text = text.strip().lstrip("#=:").strip()
        if text.startswith(("- ", "\u2022 ")) and text[2:3] not in "\\.0123456789":
            text = text[2:]
        if text.startswith("]]"):
            text = text[2:]
        text = _unstopped(text)
        if text.startswith(("** ", "__ ", "* ", "*: ", "**: ")) or (text.startswith("**") and text.count("**") == 1):
            text = text.lstrip("*_: ")
        if text.endswith("**") and text.count("**") == 1:
            text = text[:-2]
        if begun := _SO.match(text):
            text = text[begun.end() :]
        for left, right in _PAIRS:
            inner = text[len(left) : -len(right)]
            if (
                len(text) >= len(left) + len(right)
                and text.startswith(left)
                and text.endswith(right)
                and left not in inner
            ):
                text = inner
                break
        text = _BOLD.sub(r"\2", text)
        if lead := _LEAD.match(text):
            text = text[lead.end() :]
        if text == before:
            break
    return text


def _unstopped(text: str) -> str:
    """Without the marks that end a sentence; `5!` and `...` keep theirs."""
    while text and text[-1] in ".,;:\u3002\uff0e\uff0c\uff1b\u0964\u06d4" and not text.endswith("..."):
        text = text[:-1].rstrip()
    while text.endswith("\\\\"):
        text = text[:-2].rstrip()
    if text.endswith(")") and text[:-1].isdigit():
        text = text[:-1]
    if text.endswith("!") and ((len(text) > 3 and text[:-1].isalpha()) or text.endswith(" !")):
        text = text[:-1].rstrip()
    return text


def _written(text: str) -> str:
    """The part of an unboxed text that gives the answer."""
    last = None
    for lead in _LEAD.finditer(text):
        if not _CHECK.match(text, lead.end()) and text[lead.end() : lead.end() + 40].strip(" *_`$\n"):
            last = lead
    if last is not None:
        text = single(text[last.end() :])
    if (items := listed(text)) is not None:
        return "\n".join(peeled(item) for item in items.split("\n"))
    waits = list(_WAIT.finditer(text))
    if waits and text[: waits[0].start()].strip():
        rest = text[waits[-1].end() :].strip().split("\n", 1)[0]
        says = _SAYS.match(rest[:LONGEST])
        plain = re.search(r"[0-9]|\A[(\[]?[A-J][)\]]?\.?\Z", rest) and not re.search(r"[^\W\d_]{2,}", rest)
        return rest[says.end() :] if says else rest if plain else f"retracted: {rest}"
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line.strip("-*_=#`$ ")]
    titled = [line for line in lines if not _TITLE.fullmatch(line)]
    lines = titled or lines
    if len(lines) < 2:
        return lines[0] if titled and lines else text
    if _valuelike(lines[0]) and not _NUMBERED.match(lines[0]) and all(_explains(line) for line in lines[1:2]):
        return lines[0]
    if _valuelike(lines[-1]) and all(len(line.split()) > 3 or _NUMBERED.match(line) for line in lines[:-1]):
        return lines[-1]
    return text


def _valuelike(line: str) -> bool:
    return len(line) <= 80 and len(re.findall(r"[^\W\d_]{2,}", re.sub(r"\\[a-zA-Z]+", "", line))) <= 4


def _explains(line: str) -> bool:
    count = len(re.findall(r"[^\W\d_]{3,}", re.sub(r"\\[a-zA-Z]+", "", line)))
    return _EXPLAINS.match(line) is not None or count > (3 if _MORE.search(line) else 2)


def _shortened(text: str) -> str:
    """Without a reason behind the answer (`42 (since 6*7=42)`, "B because A is wrong"), or what it is not before it."""
    note = _PARENTHESIS.search(text) if text.endswith((")", ").")) else None
    if note and _remark(note[1]) and not _OPERATOR.search(text[: note.start()]):
        # `5 (dogs)` counts dogs
        counted = note[1].isalpha() and not note[1].endswith("ly") and text[: note.start()].strip()[-1:].isdigit()
        text = text[: note.start()] + (f" {note[1]}" if counted else "")
    if (other := _NOT_BUT.match(text)) is not None:
        text = text[other.end() :]
    if (told := _IS_IT.fullmatch(text)) and not _MORE.search(told[1]):
        text = told[1]
    clause = _CLAUSE.search(text)
    if clause and not (clause[0].lstrip().startswith("\\approx") and _SYMBOL.fullmatch(text[: clause.start()])):
        text = text[: clause.start()] or text
    sentence = _SENTENCE.match(text)
    if (sentence and _valuelike(sentence[1]) and re.search(r"[\d})\]]\Z", sentence[1]) and _explains(sentence[2])) or (
        sentence and _told(sentence)
    ):
        text = sentence[1]
    return text


def _told(sentence: re.Match[str]) -> bool:
    """Whether a first sentence is an answer, and the others go on about it."""
    ended = re.search(r"[\d})\]]\Z", sentence[1]) is not None and _valuelike(sentence[1])
    return ended and len(sentence[2].split()) > 2 and _MORE.search(sentence[2]) is None


def _remark(inner: str) -> bool:
    """Whether what stands in parentheses is said about the answer, and is no part of it."""
    if _OTHER.fullmatch(inner):
        return True
    if re.match(r"\W*(?:or|mod|and|not|if|when|but|for)\b", inner, re.IGNORECASE):
        return False
    return re.search(r"(?<![\\a-zA-Z])[^\W\d_]{3,}", inner) is not None

"""Which parts of a message are not the speaker's own words: quotations, code, mails and chats of
others, and what is only given for a task.

When it is unsure, a part counts as foreign: what is not kept can be said again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLANKS = re.compile(r"[^\S\n]{9,}")
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")

_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|"
    r"``[^`\n]*``|`[^`\n]*`|\"[^\"\n]{0,500}\"|“[^“”]{0,2000}”|„[^„“”]{0,2000}[“”]|"
    r"«[^«»]{0,2000}»|「[^「」]{0,2000}」|(?<!\w)['\u2018][^'\u2018\n]{2,500}'(?!\w)|"
    r"^[ \t]*[>|][^\n]*$|^(?:\t| {4})[^\n]*$|"
    r"^[^\w\n]*(?:system|assistant|developer|user|human|tool|ai)\s*[\]>][^\n]*$",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
"""Code, quotations, and lines that play another part."""

_TAKEN_BACK = re.compile(
    r"\b(?:kidding|jk|april fools?|in my dreams|haha no|scratch that|i meant?|no,? wait|wait,? no|"
    r"oops|(?:not|isn't|wasn't) true|untrue|(?:just|only) (?:joking|testing)|"
    r"i'm joking|a (?:joke|lie)|stimmt nicht|nicht wahr|pas vrai|no es verdad)\b|"
    r"but (?:then )?(?:i(?:'ve| have)? )?(?:\w+ )?"
    r"(?:(?:came|come|moved|went|gone) back|returned)\b|"
    r"and (?:then )?(?:i )?left (?:again|in \d{4})|(?<!\w)/s(?!\w)|[\U0001f643\U0001f644]|"
    r"[,(\u2013\u2014-]\s*not[\s.!)]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""What makes a whole message void."""

_POLITE = (
    r"(?:(?:please|kindly|now|hi|hello|hey|ok|okay|and|then|let's|(?:can|could|would) you),? )*"
)
_TASK = (
    r"translate|correct(?! ?[,.!])|proof-?read|summari[sz]e|classify|rewrite|rephrase|paraphrase|"
    r"repeat|act (?:as|like)|pretend|imagine|suppose|role-?play|you are now|set the \w+|"
    r"(?:write|draft|compose) (?:me )?(?:an?|the|this|some)|how (?:do|would|can) (?:you|i|we) say|"
    r"what(?:'s| is) wrong with|is (?:this|the following) (?:correct|right)|"
    r"what (?:does|do) (?:this|that|it|these) mean|add (?:an?|this|another|the) (?:sentence|line|"
    r"paragraph|section|note|entry)|let's (?:role-?play|play)|riddle|guess|testing|message from|"
    r"(?:how )?does (?:this|that|it) sound|(?:this is |just )?a test|(?:fix|check) (?:the|my) "
    r"(?:typos?|grammar|spelling|english)|(?:tweet|e-?mail|message|dm|ping|notify) "
    r"(?:this|that|it|him|her|them|the \w+|(?-i:[A-Z])\w+)|dear|user story|"
    r"examples?(?: sentences?)?\.|"
    r"übersetz\w*|korrigier\w*|traduis|traduisez|traduce|traduci"
)
_ON_A_TEXT = (
    r"fix|improve|shorten|polish|reword|edit|expand|condense|re-?format|extract|analy[sz]e|review|"
    r"critique|grade|post|publish|answer (?:this|the)|reply to|read (?:this|the)|"
    r"check (?:this|the|my)|(?:make|turn) (?:it|this|the|my)"
)
_TEXT = (
    r"draft|e-?mail|mail|message|letter|text|bio|cv|resume|post|article|transcript|chat|"
    r"conversation|paragraph|story|essay|script|dialogue|review|statement|reply|answer|quote|note"
)
_FOREIGN_FROM_HERE = re.compile(
    rf"^[^\w\n<]*{_POLITE}(?:{_ON_A_TEXT})\b[^\n]*\n|"
    r"^[^\w\n<]*(?:(?:here|this|below|attached|that)(?:'s| is| are)|see|i got) [^\n]*"
    rf"\b(?:{_TEXT})s?\b[^\n]*\n|"
    rf"^[^\w\n<]*(?:(?:an?|the|my) )?(?:{_TEXT}|lyrics|poem|song|joke|template|sample)s?[.:]?\n|"
    r"^[^\n]*\b(?:(?:wrote|sent|posted|got|received) (?:this|that|me|us|back)|below|"
    r"what \w+ (?:wrote|said|sent))\b[^\n]*\n|"
    rf"(?:^[^\w\n<]*|(?<=[.!?] )){_POLITE}(?:{_TASK})\b|"
    r"^[^\w\n]*(?:from|to|cc|subject|sent|date|von|betreff|de|objet)[ ]?:|"
    r"^[^\w\n]*(?:original message|forwarded message|begin forwarded message)\b|"
    r"^[^\w\n]*\d{1,2}:\d{2}\b|"
    r"^(?-i:[A-Z])\w*(?: (?-i:[A-Z])\w*){0,2},? [\[(]?\d{1,2}:\d{2}(?: ?[ap]m)?[\])]?$|"
    r"</?[a-z][^<>\n]{0,200}>",
    re.IGNORECASE | re.MULTILINE,
)
"""Where a task begins, a mail, a chat with times, or a text with tags."""

_COLON = re.compile(r":(?=\s|\Z)|\N{FULLWIDTH COLON}")
_OWN_LEAD = re.compile(
    r"(?:(?:and|but|so|also|please|ok|okay|well|here (?:is|are)|here's),? )*"
    r"(?:(?:an?|one|two|three|some|few|more|last|other|quick|important|short)\W+)*"
    r"(?:for the record|by the way|btw|fyi|note|notes|ps|p\.s|edit|update|remember|reminder|"
    r"correction|just so you know|things?|something|facts?|points?|about me|about myself|"
    r"my (?:preferences?|name|address|e-?mail|birthday|hobbies|diet)|(?:hi|hello|hey)(?: [\w-]+)?)"
    r"(?: (?:about|on) (?:me|myself))?",
    re.IGNORECASE,
)
"""What may stand before a colon that the speaker's own words follow."""


def straight(text: str) -> str:
    """The text with one kind of apostrophe and line break, and no long runs of blanks, which a
    pattern would walk through from each of them.
    """
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = re.sub(r"\r\n?|[\u2028\u2029]", "\n", text)
    return _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" " * 8, text))


def foreign(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each part that is not the speaker's own; the text is a straight one."""
    if _TAKEN_BACK.search(text):
        yield 0, len(text)
        return
    yield from (match.span() for match in _QUOTED.finditer(text))
    if rest := _FOREIGN_FROM_HERE.search(text):
        yield rest.start(), len(text)
    read = 0
    for colon in _COLON.finditer(text):
        at = colon.start()
        lead = re.split(r"[\n.!?;:,]+\s*", text[max(read, at - 200) : at])[-1]
        if at >= read and not _OWN_LEAD.fullmatch(lead.strip(" -*#")):
            after = re.compile(r"\s*").match(text, colon.end())
            paragraph = text.find("\n\n", after.end() if after else at)
            read = paragraph if paragraph >= 0 else len(text)
            yield at, read

"""What looks like a credential is taken out whole, and ordinary sentences stay."""

from __future__ import annotations

import hashlib
import time

import pytest

from orchestrator.text.credentials import LEFT_OUT, redact

LONG = "a1B2" * 10
BODY = "MIIEowIBAAKCAQEA"
BEGIN, END = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"{BEGIN}\n{BODY}\nq8Zz==\n{END}", BODY),
        (f"{BEGIN} {BODY} q8Zz==", "q8Zz"),
        ('password: "correct horse battery staple"', "staple"),
        ("passphrase: correct horse battery staple", "staple"),
        ("https://u:p@ss@h/", "ss@"),
        ("redis://:geheim@h/", "geheim"),
        ("always use password hunter2 for the db", "hunter2"),
        ("remember that the pin is 4711", "4711"),
        ("my card is 4111 1111 1111 1111", "1111"),
        ("378282246310005", "378282246310005"),
        ("API key abcd1234efgh", "abcd1234efgh"),
        ("api key: abcdefgh", "abcdefgh"),
        ("private key: qwertzui", "qwertzui"),
        ("use token abcd1234efgh", "abcd1234efgh"),
        ("password is: swordfish", "swordfish"),
        ("my password was swordfish", "swordfish"),
        ("the password is swordfish for the db", "swordfish"),
        ("pw: hunter2", "hunter2"),
        ("pass: hunter2", "hunter2"),
        ("client_secret: correcthorse", "correcthorse"),
        ("accessToken: abcdefgh", "abcdefgh"),
        ("Passwort: geheim", "geheim"),
        ("die PIN lautet 4711", "4711"),
        ("mot de passe: chouette", "chouette"),
        ("la contraseña es abeja77", "abeja77"),
        ("пароль: ромашка", "ромашка"),
        ("PIN of my card is 4711", "4711"),
        ("The PIN for Ann's new phone is 4711.", "4711"),
        ("my pin code is 4711", "4711"),
        ("PIN number: 4711", "4711"),
        ("SIM PIN is 471", "471"),
        ("the password of the router is swordfish", "swordfish"),
        ("the password for token abcd1234efgh", "abcd1234efgh"),
        ("my PIN is 471", "471"),
        ("the door code is 4711", "4711"),
        ("the door's code is 4711", "4711"),
        ("Front-door code: 471#", "471"),
        ("our gate code 4711 changes in May", "4711"),
        ("alarm code=4711", "4711"),
        ("the entry code was A4711", "A4711"),
        ("the code for the garage door is 4711", "4711"),
        ("Combination of my safe: 12-34-56", "12-34-56"),
        ("wifi passphrase is correct horse battery staple", "staple"),
        ("the passphrase is correct horse battery staple and the net is Home", "staple"),
        ("my passphrase is horses eat the grass", "grass"),
        ("my passphrase is blue monkey", "monkey"),
        ("my password is correct horse battery staple.", "staple"),
        (f"aws {LONG}.", LONG),
        (f"it is {'K7/+' * 3}{'wJ' * 14}, keep it", "wJwJ"),
        ("sk" + f"-{LONG}", LONG),
        ("npm" + f"_{LONG}", LONG),
    ],
)
def test_a_credential_is_left_out_whole(text: str, secret: str) -> None:
    shown = redact(text)
    assert LEFT_OUT in shown
    assert secret not in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the key is to begin early",
        "the secret is patience",
        "The secret: patience.",
        "token count is 5",
        "max_tokens: 4096",
        "sort(key=len)",
        '{"key": "name"}',
        "basic knowledge of bearer certificates",
        "the password is required",
        "The password is wrong.",
        "I forgot my password yesterday, send the password reset link",
        "the private key is stored on the stick",
        "key: C major; pin 13 is ground; press key F12",
        "the key is 2048 bits long",
        "Tests pass: 12",
        "order 1234567890123, call +41 44 123 45 67",
        "monkey: 500, keyboard: qwertz",
        "my zip code is 90210, the error code is 4711 and the exit code 137",
        "the postal code of the gate house is 8001",
        "the source code for the door sensor is 4711 lines long",
        "the lock code is 200 lines long",
        "alarm code 101 means that it is too warm",
        "the building code 2018 applies, pin 113 is ground",
        "the password is written on the back",
        "the door code is in the drawer",
        "the door code has 4 digits",
        "the access codes are 100 to 999",
        "The PIN of my card is in the drawer.",
        "pin 13 of the chip is ground",
        "the key of the song is C",
        "the secret of a good soup is patience",
        "the token for the parser is 4096",
        "the password of the router is required",
        "the passphrase is correct",
        "the passphrase is stored safely somewhere",
        "the passphrase is not the same as before",
        "the passphrase is too short to be accepted",
        "the passphrase is case sensitive",
        "the passphrase is 12 characters long",
        "the password is wrong again today",
        hashlib.sha1(b"x").hexdigest(),
        hashlib.sha1(b"x").hexdigest().upper(),
        f"{LONG}a and {LONG}== and {LONG[:39]}",
        "Projects2/Orchestrator/memory/search/all",
        "ConversationSearchWithVectorsOfWords2026",
    ],
)
def test_an_ordinary_sentence_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "eyJ-",
        "a://b:",
        "token is ",
        'password: "\\',
        "secret_",
        "4111 ",
        "basic =",
        "aB1/",
        "pin of ",
        "code for the ",
        "passphrase is a",
    ],
)
def test_a_long_text_takes_no_more_than_its_length(unit: str) -> None:
    def spent(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.thread_time()
        redact(text)
        return time.thread_time() - began

    # Eight times the text would take 64 times as long if every place were looked at from each.
    assert spent(48_000) < 30 * max(spent(6_000), 0.01)

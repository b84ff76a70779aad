"""What looks like a credential is taken out whole, and ordinary sentences stay."""

from __future__ import annotations

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
    ],
)
def test_an_ordinary_sentence_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "unit", ["a-", "eyJ-", "a://b:", "token is ", 'password: "\\', "secret_", "4111 ", "basic ="]
)
def test_a_long_text_takes_no_more_than_its_length(unit: str) -> None:
    def spent(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.process_time()
        redact(text)
        return time.process_time() - began

    # Eight times the text would take 64 times as long if every place were looked at from each.
    assert spent(48_000) < 30 * max(spent(6_000), 0.01)

import pytest

from gateway.domain import fake_prompts, normal_form, sort_answers, trusted_from

ASKED = ("Port of registry?", "Berth number?")


@pytest.mark.parametrize(
    ("answers", "sorted_answers"),
    [
        ([("prompt-1", "a"), ("prompt-2", "b")], ["a", "b"]),
        ([("prompt-2", "b"), ("prompt-1", "a")], ["a", "b"]),
        ([("Berth number?", "b"), ("Port of registry?", "a")], ["a", "b"]),
        ([(None, "a"), (None, "b")], ["a", "b"]),
        ([("", "a"), ("prompt-2", "b")], ["a", "b"]),
        ([("prompt-2", "b"), (None, "a")], None),
        ([(None, "a")], None),
        ([], None),
        ([(None, "a"), (None, "b"), (None, "c")], None),
        ([("prompt-1", "a"), ("prompt-2", "b"), ("prompt-1", "a")], None),
        ([("prompt-1", "a"), ("prompt-3", "b")], None),
        ([("Prompt of another", "a"), ("prompt-2", "b")], None),
    ],
)
def test_sort_answers(answers, sorted_answers):
    """Each prompt has one answer, by number, text or position, and no answer is left over."""
    assert sort_answers(ASKED, answers) == sorted_answers


@pytest.mark.parametrize("typed", ["Rotterdam", " rotterdam\t", "ROTTERDAM", "\uff32otterdam"])
def test_normal_form(typed):
    """Blanks around, letter case and the width of letters do not matter."""
    assert normal_form(typed) == "rotterdam"


def test_normal_form_keeps_words_apart():
    """Inner blanks become one, and are not lost."""
    assert normal_form("New \u00a0 York") == "new york" != normal_form("newyork")


def test_normal_form_of_a_text_that_is_no_answer_is_not_composed():
    """A run of combining characters would take hours of processor time, and other characters become eighteen."""
    assert normal_form("\ufdfa" * 4096) != "\ufdfa" * 4096
    for text in ("\ufdfa" * 4097, "a" + "\u0301\u0327" * 2048):
        assert normal_form(f" {text} ") == text
    assert normal_form(f"{' ' * 9000}New{' ' * 9000}York") == "new york"


def test_fake_prompts_depend_on_name_and_secret():
    """A name always has the same prompts, which cannot be computed without the secret."""
    names = [f"user{i}" for i in range(200)]
    asked = {name: fake_prompts(name, b"secret") for name in names}
    assert asked == {name: fake_prompts(name, b"secret") for name in names}
    assert asked != {name: fake_prompts(name, b"other") for name in names}
    assert {len(prompts) for prompts in asked.values()} == {1, 2, 3}
    assert all(len(set(prompts)) == len(prompts) for prompts in asked.values())


@pytest.mark.parametrize(
    ("grant", "address", "trust", "trusted"),
    [
        ({"trusted": True, "trusted_from": ["192.0.2.0/24"]}, "192.0.2.9", "networks", True),
        ({"trusted": True, "trusted_from": ["192.0.2.0/24"]}, "::ffff:192.0.2.9", "networks", True),
        ({"trusted": True, "trusted_from": ["192.0.2.0/24", "2001:db8::/32"]}, "2001:db8::9", "networks", True),
        ({"trusted": True, "trusted_from": ["192.0.2.0/24"]}, "198.51.100.9", "networks", False),
        ({"trusted": True, "trusted_from": ["192.0.2.0/24"]}, "", "networks", False),
        ({"trusted": False, "trusted_from": ["192.0.2.0/24"]}, "192.0.2.9", "any", False),
        ({"trusted": True}, "127.0.0.1", "networks", False),
        ({"trusted": True}, "127.0.0.1", "loopback", True),
        ({"trusted": True}, "::1", "loopback", True),
        ({"trusted": True}, "198.51.100.9", "loopback", False),
        ({"trusted": True}, "172.18.0.1", "any", True),
        ({"trusted": True}, "unknown", "any", False),
        ({"trusted": True, "trusted_from": ["0.0.0.0/0", "::/0"]}, "unknown", "loopback", False),
        ({}, "127.0.0.1", "any", False),
    ],
)
def test_trusted_from(grant, address, trust, trusted):
    """Trust holds from the networks an account names, and from this machine where only this machine reaches the hub."""
    assert trusted_from(grant, address, trust) is trusted

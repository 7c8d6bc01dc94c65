"""Grants, permits, views, passwords and rate limits: the pure parts of access."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.caller import Caller, How, Permit
from api.access.limits import MOST_CALLERS, Limiter
from api.errors import ProblemError
from twin.access.grants import Grant, Role, covers, parse_grants, roots
from twin.access.secrets import check_password, digest, hash_password, new_key, password_trouble, split_key

PATHS = st.lists(st.sampled_from("abc"), max_size=3).map("/".join)


def permit(*under: str) -> Permit:
    grants = tuple(Grant(Role.VIEWER, path) for path in under)
    return Permit(Caller("Kim", How.SESSION, grants), roots(grants, [Role.VIEWER]), (Role.VIEWER,))


@given(st.lists(PATHS, min_size=1, max_size=4), PATHS)
def test_the_topmost_paths_cover_exactly_what_all_of_them_cover(held: list[str], path: str) -> None:
    assert permit(*held).covers(path) == any(covers(one, path) for one in held)


def test_a_neighbour_whose_name_begins_alike_is_not_covered() -> None:
    assert not covers("factory/mill-1", "factory/mill-10")
    assert covers("factory/mill-1", "factory/mill-1/power")
    assert covers("", "anything")


def test_other_roles_open_nothing() -> None:
    assert roots(parse_grants(["viewer:a", "engineer:b"]), [Role.ENGINEER]) == ("b",)


@pytest.mark.parametrize("text", ["boss", "viewer:Factory", "viewer:a//b", "viewer:../a", ":a", ""])
def test_a_grant_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give"):
        parse_grants([text])


def test_a_list_is_asked_for_where_it_may_be_seen() -> None:
    assert permit("").place(None) is None
    assert permit("a").place(None) == "a"
    assert permit("a", "b").place("b/c") == "b/c"
    with pytest.raises(ProblemError, match="several parts"):
        permit("a", "b").place(None)
    with pytest.raises(ProblemError, match="may not do this at 'c'"):
        permit("a").place("c")


def test_a_password_is_known_again_and_nobody_is_known_by_any() -> None:
    kept = hash_password("four words and a dot.")
    assert kept.startswith("$argon2id$")
    assert check_password(kept, "four words and a dot.")
    assert not check_password(kept, "four words and a dot")
    assert not check_password(None, "four words and a dot.")


@pytest.mark.parametrize("password", ["short", "Kim-and-more", "aaaaaaaaaaaa", "x" * 201])
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    assert password_trouble(password, "kim")
    assert not password_trouble("four words and a dot.", "kim")


def test_a_key_is_split_into_what_is_looked_up_and_what_is_checked() -> None:
    made = new_key()
    assert split_key(made.text) is not None
    identity, secret = split_key(made.text) or ("", "")
    assert (identity, digest(secret)) == (made.id, made.digest)
    for text in ("", "fbq_", "fbq_abc", "abc_def", "eyJhbGciOi.x.y"):
        assert split_key(text) is None


@given(st.lists(st.floats(0, 0.3), max_size=60))
def test_no_window_holds_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    limiter, now_s, taken = Limiter(per_s=10, burst=5), 0.0, list[float]()
    for pause in pauses:
        now_s += pause
        if limiter.wait_s("kim", now_s) == 0:
            taken.append(now_s)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= 5 + 10 * (taken[last] - begin) + 1e-6


def test_who_waits_as_long_as_told_is_let_through_and_many_callers_take_bounded_memory() -> None:
    limiter = Limiter(per_s=2, burst=2)
    assert [limiter.wait_s("kim", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert limiter.wait_s("lee", 0.0) == 0.0
    assert limiter.wait_s("kim", 0.5) == 0.0
    for number in range(MOST_CALLERS + 10):
        limiter.wait_s(str(number), 1.0)
    assert len(limiter._due) == MOST_CALLERS

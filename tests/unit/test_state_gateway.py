"""What is wrong with a gateway, as the API and the page say it."""

import pytest

from twin.state.gateway import gateway_problems


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        ({"status": "online", "warnings": []}, []),
        ({"status": "online", "warnings": ["source press is down", 7, None]}, ["source press is down"]),
        ({"status": "offline"}, ["gateway gate-7 is offline"]),
        ({"status": "offline", "warnings": ["old"]}, ["gateway gate-7 is offline"]),
        ({}, ["gateway gate-7 is offline"]),
        (
            {"status": "online", "sources": [{"name": "a", "status": "down", "detail": "refused"}]},
            ["source a is down: refused"],
        ),
        ({"status": "online", "sources": [{"name": "a", "status": "connecting"}, 3]}, []),
        ({"status": "online", "sources": [{"name": "a", "status": "down"}], "warnings": []}, []),
    ],
)
def test_the_agents_own_words_come_first_and_an_offline_gateway_is_a_problem(report, problems):
    assert gateway_problems("gate-7", report) == problems


def test_a_report_without_end_is_cut():
    found = gateway_problems("gate-7", {"status": "online", "warnings": ["x" * 10_000] * 10_000})
    assert len(found) == 50
    assert {len(text) for text in found} == {400}

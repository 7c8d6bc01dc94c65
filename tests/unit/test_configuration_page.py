"""The reference of all configuration keys is what the models say."""

from setup.configuration_page import PAGE, page


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text() == page(), "a key has changed: run `make docs`"

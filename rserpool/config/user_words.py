"""What files say to the commands of users and elements (L{rserpool.config.user}), as words of their command lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rserpool.config.keys import Key, Kind
from rserpool.config.user import usual
from rserpool.config.user_keys import USER_KEYS


def usual_words(keys: Mapping[str, Key], given: Collection[str]) -> list[str]:
    """The same as options, for those of some keys that are not given; of registrars the services find out themselves.

    @raise ConfigurationError: as L{said} does.
    """
    names = [name for name in USER_KEYS if name in keys and name not in given and name != "registrar"]
    return [
        f"--{'' if text == 'yes' else 'no-'}{name}" if USER_KEYS[name].kind is Kind.FLAG else f"--{name}={text}"
        for name, text in usual(*names).items()
    ]

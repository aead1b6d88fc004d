"""What the options of a wrapped plugin see as their parent: C{twistd}'s, as if the plugin were its subcommand."""

from __future__ import annotations

from typing import Any

from twisted.python import usage


def parent_for(parent: usage.Options | None, name: str, options: usage.Options) -> usage.Options | None:
    """The options of C{twistd} as a plugin sees them that is run alone.

    @param parent: those of C{twistd}, whose subcommand another plugin is; all that is read and written goes there.
    @param name: the plugin's name.
    @param options: its options.
    """
    if parent is None:
        return None
    twistd: Any = parent

    class Parent(type(parent)):  # type: ignore[misc]
        """Those of its parent, but for the subcommand."""

        def __getattribute__(self, attribute: str) -> Any:
            if attribute in own:
                return own[attribute]
            return getattr(twistd, attribute)

        def __setattr__(self, attribute: str, value: Any) -> None:
            if attribute in own:
                own[attribute] = value
            else:
                setattr(twistd, attribute, value)

        # What the interpreter looks up at the class.
        def __getitem__(self, key: Any) -> Any:
            return twistd[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            twistd[key] = value

        def __delitem__(self, key: Any) -> None:
            del twistd[key]

        def __contains__(self, key: Any) -> bool:
            return key in twistd

        def __iter__(self) -> Any:
            return iter(twistd)

        def __len__(self) -> int:
            return len(twistd)

        def __eq__(self, other: Any) -> bool:
            return self is other or bool(twistd == other)

        def __hash__(self) -> int:
            return hash(twistd)

        def __str__(self) -> str:
            return str(twistd)

        __repr__ = __str__

    own: dict[str, Any] = {"subCommand": name, "subOptions": options, "__class__": Parent}
    return Parent.__new__(Parent)

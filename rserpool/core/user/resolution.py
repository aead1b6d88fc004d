"""Handle resolution as a pool user does it, and subscriptions (RFC 5352 sections 3.3, 3.7.2 and 2.2.5)."""

from __future__ import annotations

from collections.abc import Hashable

from rserpool.core import complaints
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect, Notify, Probe, Send
from rserpool.core.errors import CauseCode, Rejected, RSerPoolError, UnknownPool, refused_question
from rserpool.core.policies import ROUND_ROBIN
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import HomeChanged, ServerHunt
from rserpool.core.user.cache import Cache, CachedPool, covers
from rserpool.core.user.events import ResolutionFailed
from rserpool.core.user.idle import NOBODY, Idle
from rserpool.core.user.questions import LATE, PAUSES, Lateness, Question, Request, Watched
from rserpool.core.user.waiting import Questions
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause

MOST_QUESTIONS = 10_000
"""So many pools are asked about at a time: their names may be those that strangers ask a program for."""


class Resolution:
    """The open questions of one pool user and its subscriptions.

    Its timers are those of its role whose keys begin with C{"request"} (somebody's deadline), C{"answer"} (T1),
    C{"late"}, C{"again"} (a registrar could not answer yet), C{"watch"}, C{"suspect"} and C{"idle"} (the home said
    nothing for a while).
    """

    def __init__(self, hunt: ServerHunt, cache: Cache, timers: Timers, profile: Profile) -> None:
        self._hunt = hunt
        self._cache = cache
        self._timers = timers
        self._profile = profile
        self._questions = Questions(timers, cache)
        self._watched: dict[bytes, Watched] = {}
        self._silent = False
        self._lateness = Lateness()
        self._idle = Idle(hunt, timers, profile)
        self.heard = self._idle.heard

    # What the user wants

    def resolve(
        self,
        request: Hashable,
        handle: bytes,
        now: float,
        *,
        deadline: float,
        items: int | None,
        fresh: bool,
        patience: float,
    ) -> list[Effect]:
        """C1 to C4: answer from the cache if that is allowed, or ask."""
        pool = self._cache.get(handle)
        if pool and not fresh and ((self._hunt.home is None and not pool.rested) or self.has(handle, pool, items, now)):
            return [Notify(self._cache.answer(request, handle, items, now)), *self._hunt.hunt(now)]
        if len(self._questions) >= MOST_QUESTIONS and handle not in self._questions:
            why = f"{MOST_QUESTIONS} pools are asked about already"
            return [Notify(ResolutionFailed(request, handle, Rejected(CauseCode.LACK_OF_RESOURCES, reason=why)))]
        until = now + self._cache.patience(handle, patience)
        question = self._questions.add(request, handle, Request(items, fresh, until), deadline)
        again = ("again", handle) in self._timers and not question.unknown
        pending = again or any(covers(asked, items) for asked in question.asked)
        return self._hunt.hunt(now) if pending else self._ask(handle, now)

    def has(self, handle: bytes, pool: CachedPool, items: int | None, now: float) -> bool:
        """Whether a pool is enough of an answer: the registrar would tell of a change, or it is not stale yet."""
        armed = handle in self._watched and self._watched[handle].armed
        return (armed or self._cache.current(pool, now)) and pool.serves(items)

    def cancel(self, request: Hashable) -> None:
        """Nobody waits for this request any more."""
        handle = self._questions.handles.get(request)
        if handle is not None:
            self._questions.take(handle, request)
            self._settle(handle)

    def subscribe(self, handle: bytes, now: float, items: int | None) -> list[Effect]:
        """Keep the pool up to date from now on."""
        if handle in self._watched:
            return []
        self._watched[handle] = Watched(items)
        self._idle.listen(now)
        # A question under way was sent without the S bit: ask once more.
        self._questions.setdefault(handle, Question())
        return self._ask(handle, now)

    def unsubscribe(self, handle: bytes) -> None:
        """Changes of the pool are of no interest any more."""
        if self._watched.pop(handle, None) is not None:
            self._timers.cancel(("watch", handle))
        self._settle(handle)

    # What happens

    def home_found(self, now: float) -> list[Effect]:
        """Ask the new home registrar whatever is open, subscriptions included."""
        for handle, watched in self._watched.items():
            if not watched.armed:
                self._questions.setdefault(handle, Question())
        if self._watched:
            self._idle.listen(now)
        return [effect for handle in list(self._questions) for effect in self._ask(handle, now)]

    def home_lost(self, now: float) -> list[Effect]:
        """Subscriptions are gone; who can be served from the cache is, the others wait for the next registrar."""
        self._idle.stop()
        for handle, watched in self._watched.items():
            watched.armed = False
            self._timers.cancel(("watch", handle))
        self._cache.home_lost()
        effects: list[Effect] = [Notify(HomeChanged(None))]
        for handle in list(self._questions):
            self._questions.unsent(handle)
            effects += self._questions.last_known_good(handle, now)
            self._settle(handle)
        return effects

    def hopeless(self, now: float) -> list[Effect]:
        """Nobody waits for a registrar, if TLS fails with each."""
        effects: list[Effect] = []
        for handle in list(self._questions) if self._hunt.hopeless(now) else ():
            effects += self._questions.last_known_good(handle, now)
            effects += self._questions.fail(handle, self._hunt.nobody("no registrar can be used"))
            self._settle(handle)
        return effects

    def rest(self) -> None:
        """Nobody wants anything for now."""
        self._idle.stop()
        self._cache.rest()

    def response(self, message: asap.HandleResolutionResponse, now: float) -> list[Effect]:
        """An ASAP_HANDLE_RESOLUTION_RESPONSE arrived: an answer, an update, or both."""
        handle = message.handle
        cause = message.causes[0].code if message.causes else CauseCode.UNSPECIFIED
        if not (message.causes and cause == CauseCode.LACK_OF_RESOURCES):
            self._hunt.answered()
        if handle == NOBODY:
            return []
        question = self._questions.get(handle)
        if message.elements and not message.causes:
            effects = self._positive(message, question, now)
        elif cause == CauseCode.LACK_OF_RESOURCES or (
            cause == CauseCode.UNKNOWN_POOL_HANDLE and self._cache.not_yet(handle, now)
        ):
            if question is not None:
                question.information = message.causes[0].information if message.causes else b""
            effects = self._not_now(handle, question, now)
        else:
            effects = self._negative(message, cause, question, now)
        self._settle(handle)
        return effects

    def error(self, causes: tuple[ErrorCause, ...], now: float) -> list[Effect]:
        """2.2.14: an ASAP_ERROR arrived: the question that it is about is not answered any more."""
        asked = sorted((when, handle) for handle in self._questions if (when := self._timers.when(("answer", handle))))
        cause = complaints.discarded(causes, asap.HandleResolution.TYPE)
        handle = None if cause is None else complaints.about(cause, [handle for _, handle in asked])
        if cause is None or handle is None:
            return []
        question = self._questions[handle]
        if cause.code == CauseCode.LACK_OF_RESOURCES:
            return self._not_now(handle, question, now)
        # It says nothing about the pool: what is known of that stands.
        self._questions.unsent(handle)
        effects = self._questions.last_known_good(handle, now)
        effects += self._questions.fail(handle, refused_question(cause.code, cause.information))
        watched = self._watched.get(handle)
        if watched is not None and not watched.armed:
            self._watch_later(handle, watched, now)
        self._settle(handle)
        return effects

    def due(self, key: tuple[Hashable, ...], now: float) -> list[Effect]:
        """One of its timers; after all that are due, L{silence} is to be called."""
        match key:
            case ("request", request):
                return self._overdue(request, now)
            case ("answer", bytes(handle)):
                return self._unanswered(handle, now)
            case ("late", bytes(handle)):
                self._late(handle, now)
            case ("again", bytes(handle)):
                self._settle(handle)
                return self._ask(handle, now) if handle in self._questions else []
            case ("watch", bytes(handle)) if handle not in self._questions:
                self._questions[handle] = Question()
                return self._ask(handle, now)
            case ("suspect", bytes(handle), int(identifier)):
                self._cache.suspects.remove(handle, identifier)
            case ("idle",) if self._watched:
                asked = self._idle.due(now)
                self._silent = self._silent or asked is None
                return asked or []
        return []

    def silence(self, now: float) -> list[Effect]:
        """What is done about a home registrar that did not answer somebody."""
        silent, self._silent, slow = self._silent, False, self._lateness.asks(now)
        if silent:
            # 3.7.2: T1 expired: hunt, and send again to whichever registrar answers.
            return [*self._hunt.fail(now), *self.home_lost(now)]
        return [Probe(self._hunt.home)] if slow and self._hunt.home is not None else []

    # Its timers

    def _overdue(self, request: Hashable, now: float) -> list[Effect]:
        """Somebody's deadline has come: the last known good is better than nothing."""
        handle = self._questions.handles[request]
        question = self._questions[handle]
        waiting = self._questions.take(handle, request)
        self._settle(handle)
        if handle in self._cache and not waiting.fresh:
            return [Notify(self._cache.answer(request, handle, waiting.items, now))]
        error: RSerPoolError = self._hunt.nobody("no registrar answered in time")
        if question.pause:
            lack = Rejected(CauseCode.LACK_OF_RESOURCES, question.information)
            error = UnknownPool(handle, str(self._hunt.address or "")) if question.unknown else lack
        return [Notify(ResolutionFailed(request, handle, error))]

    def _unanswered(self, handle: bytes, now: float) -> list[Effect]:
        """T1 expired."""
        question = self._questions[handle]
        self._questions.unsent(handle)
        question.unanswered += 1
        # Where nobody is waiting, its silence is not worth a hunt.
        self._silent = self._silent or bool(question.requests) or handle in self._watched
        effects = self._questions.last_known_good(handle, now)
        if question.unanswered > self._profile.max_request_retransmit:
            # 3.7.2: after MAX-REQUEST-RETRANSMIT the request is given up.
            error = self._hunt.nobody(f"no registrar answered {question.unanswered} requests")
            effects += self._questions.fail(handle, error)
        self._settle(handle)
        return effects

    def _late(self, handle: bytes, now: float) -> None:
        """An answer is late: noticed again and again, each time after twice as long."""
        question = self._questions[handle]
        if not question.asked:
            return
        self._lateness.late = True
        self._timers.set(("late", handle), now + question.patience)
        question.patience *= 2

    # The three kinds of response

    def _positive(self, message: asap.HandleResolutionResponse, question: Question | None, now: float) -> list[Effect]:
        handle = message.handle
        # 2.2.6: without the parameter the overall policy is round robin.
        policy = ROUND_ROBIN.number if message.policy is None else message.policy.type
        watched, asked = self._watched.get(handle), question is not None and bool(question.asked)
        items = watched.items if watched is not None else len(message.elements)
        if question is not None and question.asked:
            items = question.asked.pop(0)
        pool = self._cache.store(handle, CachedPool(policy, message.elements, now, items), asked)
        effects: list[Effect] = []
        if question is not None:
            question.unanswered, question.pause = 0, 0.0
            self._timers.cancel(("again", handle))
            for request, waiting in list(question.requests.items()):
                # Who wants more than this request asked for waits for the answer of the next.
                if not question.asked or pool.serves(waiting.items):
                    self._questions.take(handle, request)
                    effects.append(Notify(self._cache.answer(request, handle, waiting.items, now)))
        if watched is not None and pool.serves(watched.items):
            watched.armed, watched.pause = message.accepted, 0.0
            if message.accepted:
                self._timers.cancel(("watch", handle))
            else:
                self._timers.set(("watch", handle), now + self._profile.stale_cache_value)
            effects += watched.show(handle, policy, message.elements, message.dead)
        return effects

    def _not_now(self, handle: bytes, question: Question | None, now: float) -> list[Effect]:
        """Not ready, or too busy: this says nothing about the pool. Ask again, until nobody waits any more."""
        watched = self._watched.get(handle)
        if watched is not None:
            watched.armed = False
        if question is None:
            if watched is not None:
                self._watch_later(handle, watched, now)
            return []
        self._questions.unsent(handle)
        question.unanswered, question.unknown = 0, False
        question.pause = PAUSES.after(question.pause)
        self._timers.set(("again", handle), now + question.pause)
        return self._questions.last_known_good(handle, now)

    def _negative(
        self, message: asap.HandleResolutionResponse, cause: int, question: Question | None, now: float
    ) -> list[Effect]:
        handle = message.handle
        unknown = cause == CauseCode.UNKNOWN_POOL_HANDLE
        self._cache.pop(handle, None)
        effects: list[Effect] = []
        if question is not None:
            self._questions.unsent(handle)
            if unknown:
                effects += self._questions.unknown(handle, str(self._hunt.address or ""), now)
            else:
                effects += self._questions.fail(handle, refused_question(cause))
        watched = self._watched.get(handle)
        if watched is not None:
            # 2.2.5: no updates follow a negative response: ask again until the pool exists.
            if question is None or not question.requests:
                self._questions.pop(handle, None)
            self._watch_later(handle, watched, now)
            if unknown:
                effects += watched.show(handle, 0, None, message.dead)
        return effects

    # Who is told what

    def _ask(self, handle: bytes, now: float) -> list[Effect]:
        """NR1, NR4: ask the home registrar, and start T1; without one look for it."""
        home = self._hunt.home
        if home is None:
            return self._hunt.hunt(now)
        question = self._questions[handle]
        watched = self._watched.get(handle)
        items = question.items(watched)
        question.asked.append(items)
        question.patience = LATE
        self._timers.cancel(("again", handle))
        self._timers.set(("answer", handle), now + self._profile.patience)
        self._timers.set(("late", handle), now + LATE)
        return [Send(home, asap.HandleResolution(handle, watched is not None, items))]

    def _watch_later(self, handle: bytes, watched: Watched, now: float) -> None:
        """No updates come now: ask again, a little later each time."""
        watched.armed = False
        watched.pause = PAUSES.after(watched.pause)
        self._timers.set(("watch", handle), now + watched.pause)

    def _settle(self, handle: bytes) -> None:
        """A question is over when nobody waits and no answer is due."""
        question = self._questions.get(handle)
        if question is None or question.requests or question.asked:
            return
        watched = self._watched.get(handle)
        if watched is None or watched.armed or ("watch", handle) in self._timers:
            self._questions.unsent(handle)
            del self._questions[handle]
